"""Figures: right data in them, both themes, small files, never colour alone."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from clip_smu.cli import app
from clip_smu.errors import InputError, MissingExtraError
from clip_smu.evaluation import Evaluation
from clip_smu.words.attributes import NAMES
from made_run import METHODS, made_evaluation, write_run

pytest.importorskip("matplotlib")

from clip_smu.interpreter.load import load_reader
from clip_smu.report.figures import (
    DARK,
    LIGHT,
    as_svg,
    auc_dots,
    auc_series,
    method_series,
    most_told,
    qualitative_table,
    read_from_map,
    reliability_diagrams,
    roc_grid,
    slope_chart,
    write_figure,
)
from clip_smu.report.figures.charts import spread
from clip_smu.report.figures.curves import DEFAULT_ATTRIBUTES, thinned
from clip_smu.report.figures.qualitative import _rows, encoded_readings
from clip_smu.report.figures.series import way_of

FEW = ("Male", "Bald", "Square_Face")


@pytest.fixture(scope="module")
def dlib() -> Evaluation:
    return made_evaluation("dlib")


@pytest.fixture(scope="module")
def mbf(dlib: Evaluation) -> Evaluation:
    rows = [{**row, "encoder": "mbf"} for row in dlib.table.to_pylist()]
    table = type(dlib.table).from_pylist(rows, schema=dlib.table.schema)
    return replace(dlib, encoder="mbf", manifest={**dlib.manifest, "encoder": "mbf"}, table=table)


def curves(axes):
    return [line for line in axes.get_lines() if line.get_gid() is None and len(line.get_xdata()) > 2]


def test_roc_curves_are_scikit_learns(dlib: Evaluation) -> None:
    from sklearn.metrics import roc_auc_score

    figure = roc_grid([dlib], ("Bald",))
    (axes,) = figure.axes
    known = dlib.labels[:, NAMES.index("Bald")] != 0
    truth = dlib.labels[known, NAMES.index("Bald")] > 0
    drawn = curves(axes)
    assert len(drawn) == len(METHODS)
    for name, line in zip(METHODS, drawn, strict=True):
        area = np.trapezoid(line.get_ydata(), line.get_xdata())
        assert area == pytest.approx(
            roc_auc_score(truth, dlib.methods[name].scores[known, NAMES.index("Bald")]), abs=0.004
        )


def test_roc_grid_has_the_papers_line_styles_and_twenty_panels(dlib: Evaluation, mbf: Evaluation) -> None:
    figure = roc_grid([dlib, mbf])
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert len(shown) == len(DEFAULT_ATTRIBUTES) == len(set(DEFAULT_ATTRIBUTES)) == 20
    lines = curves(shown[0])
    assert [line.get_linestyle() for line in lines] == ["-", "--", "-."] * 2
    assert (
        len({(line.get_linestyle(), line.get_marker()) for line in lines}) == 6
    )  # told apart without colour
    assert len({line.get_color() for line in lines}) == 2  # an encoder each


def test_an_attribute_without_positives_is_said(dlib: Evaluation) -> None:
    figure = roc_grid([dlib], FEW)
    texts = {axes.get_title(): [text.get_text() for text in axes.texts] for axes in figure.axes}
    assert texts["square face"] == ["too few labels"]
    assert texts["bald"] == []


def test_thinned_curves_keep_their_ends_and_their_points() -> None:
    rng = np.random.default_rng(0)
    x, y = (np.sort(np.append(rng.random(5000), [0, 1])) for _ in "xy")
    a, b = thinned(x, y)
    assert len(a) <= 200
    assert (a[0], b[0], a[-1], b[-1]) == (0, 0, 1, 1)
    assert set(zip(a, b, strict=True)) <= set(zip(x, y, strict=True))
    assert np.max(np.diff(a + b)) < 0.03


def test_dots_are_the_tables_figures_best_first(dlib: Evaluation) -> None:
    series = auc_series(dlib)
    assert [one.way for one in series] == ["language", "multi-label", "binary"]
    figure = auc_dots(series)
    (axes,) = figure.axes
    points = [line for line in axes.get_lines() if line.get_linestyle() == "None"]
    assert len({line.get_marker() for line in points}) == 3
    drawn = np.asarray(points[0].get_xdata(), dtype=float)
    known = drawn[~np.isnan(drawn)]
    assert list(known) == sorted(known, reverse=True)
    assert known[0] == np.nanmax(series[0].auc)
    assert [text.get_text() for text in axes.texts] == ["too few labels"]


def test_slope_chart_marks_only_what_differs(dlib: Evaluation) -> None:
    a, b = auc_series(dlib)[:2]
    different = np.array([name == "Bald" for name in NAMES])
    (axes,) = slope_chart(a, b, different=different).axes
    bold = [text.get_text() for text in axes.texts if text.get_fontweight() == "bold"]
    assert len(bold) == 2
    assert all("bald" in text for text in bold)
    assert len(axes.texts) == 2 * 46  # Square_Face has no AUC


def test_labels_of_a_slope_chart_do_not_overlap() -> None:
    values = np.random.default_rng(0).uniform(0.6, 1, 47)
    placed = spread(values, 0.012)
    assert np.diff(np.sort(placed)).min() > 0.012 - 1e-9
    assert list(np.argsort(placed)) == list(np.argsort(values))
    assert spread([0.1, 0.9], 0.1).tolist() == [0.1, 0.9]


def test_heat_map_writes_its_numbers_and_leaves_empty_columns_out() -> None:
    table = np.array([[0.95, np.nan, 0.2], [0.5, np.nan, 0.75]])
    (axes,) = read_from_map(table, ["Male", "Bald"], ["Male", "Young", "Bald"]).axes
    assert sorted(text.get_text() for text in axes.texts) == [".20", ".50", ".75", ".95"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["male", "bald"]
    with pytest.raises(InputError, match="2 x 3 needs as many numbers"):
        read_from_map(table[:1], ["Male", "Bald"], ["Male", "Young", "Bald"])


def test_most_told_columns_are_those_far_from_half() -> None:
    matrix = np.full((6, 6), 0.5)
    matrix[:, 4], matrix[:, 2] = 0.1, 0.7
    assert most_told(matrix, 2) == [2, 4]


def test_reliability_of_true_probabilities_lies_on_the_diagonal(dlib: Evaluation) -> None:
    rng = np.random.default_rng(0)
    said = rng.random((6000, 1)).astype(np.float32)
    labels = np.where(rng.random((6000, 1)) < said, 1, -1).astype(np.int8)
    scored = replace(dlib.methods["attribute"], scores=said, probabilities=said, verdicts=labels)
    one = replace(dlib, attributes=("Bald",), labels=labels, methods={"attribute": scored})
    above, below = reliability_diagrams([one]).axes
    line = above.get_lines()[1]
    assert np.abs(np.asarray(line.get_xdata()) - np.asarray(line.get_ydata())).max() < 0.06
    assert sum(bar.get_height() for bar in below.patches) == pytest.approx(1)


def test_qualitative_table_colours_by_the_label(dlib: Evaluation) -> None:
    cells = encoded_readings(dlib, dlib.images[:2], methods=["attribute"])
    for row, cell in enumerate(cells):
        verdicts = dlib.methods["attribute"].verdicts[row]
        assert {name for name, _ in cell.attributes} == {NAMES[k] for k in np.flatnonzero(verdicts == 1)}
        assert all(label == dlib.labels[row, NAMES.index(name)] for name, label in cell.attributes)
    (axes,) = qualitative_table(dlib, dlib.images[:2], methods=["attribute"]).axes
    colours = {"+": LIGHT.green, "×": LIGHT.red, "?": LIGHT.grey}
    marked = [text for text in axes.texts if text.get_text()[:2] in ("+ ", "× ", "? ")]
    assert len(marked) >= 5
    assert all(text.get_color() == colours[text.get_text()[0]] for text in marked)
    assert not any("male" in text.get_text() for text in qualitative_table(dlib, hide="gender").axes[0].texts)


def test_default_photos_are_of_different_persons(dlib: Evaluation) -> None:
    photos = {cell.image for cell in encoded_readings(dlib)}
    assert len(photos) == len({photo.split("/")[0] for photo in photos}) == 5


def contrast(a: str, b: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_colours_can_be_seen(theme) -> None:
    for colour in (theme.ink, theme.muted, theme.green, theme.red, theme.grey):
        assert contrast(colour, theme.paper) >= 4.5  # text, WCAG AA
    for colour in theme.series:
        assert contrast(colour, theme.paper) >= 3  # lines
    assert contrast(theme.on_low, theme.low) >= 4.5
    assert contrast(theme.on_high, theme.high) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_svg_has_text_as_text_unique_ids_and_is_small(dlib: Evaluation, theme: str) -> None:
    figure = roc_grid([dlib], ("Bald", "Eyeglasses"), theme=theme)
    text = as_svg(figure, prefix="grid")
    assert ">eyeglasses<" in text
    assert len(text) < 2 * 15_000 + 20_000
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert all(one.startswith("grid-") for one in ids)
    used = re.findall(r'(?:href="#|url\(#)([^")]+)', text)
    assert set(used) <= set(ids)
    assert text == as_svg(figure, prefix="grid")
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]+"', "", text)


def test_nothing_is_cut_off(dlib: Evaluation, tmp_path: Path) -> None:
    series = auc_series(dlib)
    matrix = np.random.default_rng(0).random((47, 4))
    figures = [
        auc_dots(series), slope_chart(*series[:2]), read_from_map(matrix, NAMES, NAMES[26:30]),
        roc_grid([dlib], FEW), reliability_diagrams([dlib]), qualitative_table(dlib),
    ]  # fmt: skip
    for figure in figures:
        write_figure(figure, tmp_path / "figure.png")  # lays it out
        drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
        assert min(drawn.x0, drawn.y0, width - drawn.x1, height - drawn.y1) > 0
        border = np.asarray(Image.open(tmp_path / "figure.png").convert("L"))
        for edge in (border[0], border[-1], border[:, 0], border[:, -1]):
            assert (edge == 255).all()  # paper, on the outermost line


def test_numbers_in_texts_keep_their_digits() -> None:
    (axes,) = (figure := read_from_map([[0.5]], ["Male"], ["Male"])).axes
    axes.text(0, 0, "0.12345")
    assert ">0.12345<" in as_svg(figure)


@pytest.mark.parametrize(("suffix", "start"), [("svg", b"<svg"), ("pdf", b"%PDF"), ("png", b"\x89PNG")])
def test_files_by_suffix(tmp_path: Path, suffix: str, start: bytes) -> None:
    figure = auc_dots([method_series(load_reader("dlib-faces"))])
    write_figure(figure, tmp_path / f"dots.{suffix}")
    assert (tmp_path / f"dots.{suffix}").read_bytes().startswith(start)
    with pytest.raises(InputError, match=r"\*\.svg, \*\.pdf or \*\.png, found dots.gif"):
        write_figure(figure, tmp_path / "dots.gif")


def test_what_cannot_be_drawn_is_refused(dlib: Evaluation) -> None:
    with pytest.raises(InputError, match="light or dark, found 'sepia'"):
        auc_dots(auc_series(dlib), theme="sepia")
    with pytest.raises(InputError, match="no method mlp: choose from attribute"):
        auc_series(dlib, ["mlp"])
    with pytest.raises(InputError, match="no evaluation has the method mlp"):
        roc_grid([dlib], methods=["mlp"])
    with pytest.raises(InputError, match="no photo nobody"):
        qualitative_table(dlib, ["nobody.jpg"])
    name = dlib.images[3].replace(".jpg", ".PNG")
    assert _rows(dlib, [f"elsewhere/{name}", dlib.images[0]]) == [3, 0]
    with pytest.raises(InputError, match="at least one"):
        auc_dots([])


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"clip-smu\[report\]"):
        auc_dots([method_series(load_reader("dlib-faces"))])


def test_ways_by_kind_and_by_name(dlib: Evaluation) -> None:
    rows = [{"name": "attribute", "kind": "zero-shot"}, {"name": "binary", "kind": "interpreter"}]
    one = replace(dlib, manifest={"methods": rows})
    assert [way_of(one, name) for name in METHODS] == ["zero-shot", "multi-label", "language"]


def test_command_draws_a_run(tmp_path: Path, dlib: Evaluation, mbf: Evaluation) -> None:
    from clip_smu.evaluation import write_evaluation

    for one in (dlib, mbf):
        write_evaluation(one, tmp_path / "run" / one.encoder / "evaluation")
    (tmp_path / "run" / "run.json").write_text('{"format": 1, "finished": true}')
    run = CliRunner()
    drawn = run.invoke(
        app,
        ["figures", str(tmp_path / "run"), "-o", str(tmp_path / "out"), "--kind", "roc", "--kind", "read-from",
         "--kind", "slope", "--kind", "photos", "--attributes", "Bald,Eyeglasses", "--method", "attribute"],
    )  # fmt: skip
    assert drawn.exit_code == 0, drawn.output
    names = sorted(file.name for file in (tmp_path / "out").iterdir())
    kinds = ("photos-dlib", "photos-mbf", "read-from-dlib", "read-from-mbf", "roc", "slope-dlib-mbf")
    assert names == [f"{kind}.svg" for kind in kinds]
    assert "male" not in (tmp_path / "out" / "photos-dlib.svg").read_text()
    alone = run.invoke(
        app,
        ["figures", "dlib-faces", "-o", str(tmp_path / "alone"), "--format", "svg,png", "--theme", "both"],
    )
    assert alone.exit_code == 0
    files = sorted(file.name for file in (tmp_path / "alone").iterdir())
    assert files == ["dots-dark.png", "dots-dark.svg", "dots-light.png", "dots-light.svg"]
    assert (tmp_path / "alone" / "dots-dark.svg").read_text().count(DARK.ink) > 10
    refused = run.invoke(app, ["figures", "dlib-faces", "-o", str(tmp_path / "alone"), "--kind", "roc"])
    assert isinstance(refused.exception, InputError)
    assert "needs an evaluation" in str(refused.exception)


def test_a_made_run_is_whole(tmp_path: Path, dlib: Evaluation, mbf: Evaluation) -> None:
    folder = write_run(tmp_path / "run", dlib, mbf)
    assert (folder / "dlib" / "confounds" / "confounds.json").is_file()
