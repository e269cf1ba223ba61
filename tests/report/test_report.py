"""Reports: what they say is what was measured, nothing hidden leaks, nothing unfinished passes, the schema holds."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clip_smu.cli import app
from clip_smu.errors import InputError
from clip_smu.evaluation import Evaluation, write_evaluation
from clip_smu.interpreter.interpreter import load_interpreter
from clip_smu.report import report
from clip_smu.report.findings import level, of_attribute, pairs_of_100
from clip_smu.report.law import law
from clip_smu.report.sources import read_source
from clip_smu.words.attributes import NAMES, SENSITIVE, by_name, resolve
from made_run import made_evaluation, write_run

SCHEMA = json.loads(files("clip_smu").joinpath("data/report.schema.json").read_text(encoding="utf-8"))
ERASURE = {
    "format": 1,
    "attributes": ["Male"],
    "encoder": "dlib",
    "sentence": "Male can no longer be read; persons are recognised as before.",
    "readings": [
        {
            "reader": "linear probe",
            "fitted_on": "training persons",
            "attributes": [
                {
                    "attribute": name,
                    "before": {"auc": 0.99, "low": 0.98, "high": 1.0},
                    "after": {"auc": 0.5, "low": 0.45, "high": 0.55},
                    "n_positive": 100,
                    "n_negative": 100,
                    "reason": "",
                }
                for name in ("Male", "Bald")
            ],
        }
    ],
    "verification": {"pairs_from": "pairs.txt", "left_out": 0, "before": {"accuracy": 0.99, "auc": 0.999},
                     "after": {"accuracy": 0.985, "auc": 0.998}, "paired": {}},
    "no_verification": "",
}  # fmt: skip


@pytest.fixture(scope="module")
def evaluations() -> tuple[Evaluation, Evaluation]:
    dlib = made_evaluation("dlib")
    rows = [{**row, "encoder": "mbf"} for row in dlib.table.to_pylist()]
    table = type(dlib.table).from_pylist(rows, schema=dlib.table.schema)
    return dlib, replace(dlib, encoder="mbf", manifest={**dlib.manifest, "encoder": "mbf"}, table=table)


@pytest.fixture(scope="module")
def run(evaluations: tuple[Evaluation, Evaluation], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_run(tmp_path_factory.mktemp("made") / "run", *evaluations)
    (folder / "dlib" / "erasure").mkdir()
    (folder / "dlib" / "erasure" / "erasure.json").write_text(json.dumps(ERASURE))
    return folder


@pytest.fixture(scope="module")
def page(run: Path) -> str:
    pytest.importorskip("matplotlib")
    return report(run, run.parent / "report.html", command="clip-smu report run").path.read_text(
        encoding="utf-8"
    )


@pytest.fixture(scope="module")
def content(run: Path) -> dict[str, Any]:
    report(run, run.parent / "report.json")
    values: dict[str, Any] = json.loads((run.parent / "report.json").read_text(encoding="utf-8"))
    return values


def broken(value: Any, schema: dict[str, Any], where: str = "") -> list[str]:
    """A small check of the parts of JSON Schema that the report's schema uses; gives what breaks it."""
    while "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    if "oneOf" in schema:
        fits = sum(not broken(value, one, where) for one in schema["oneOf"])
        return [] if fits == 1 else [f"{where}: fits {fits} of oneOf"]
    found = []
    if "const" in schema and value != schema["const"]:
        found.append(f"{where}: not {schema['const']}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where}: {value!r} is none of {schema['enum']}")
    kinds = {"object": dict, "array": list, "string": str, "null": type(None), "boolean": bool, "number": (int, float),
             "integer": int}  # fmt: skip
    names = schema.get("type", [])
    names = [names] if isinstance(names, str) else names
    if names and not any(
        isinstance(value, kinds[name]) and (name == "boolean") == isinstance(value, bool) for name in names
    ):
        return [f"{where}: {value!r} is not {names}"]
    if isinstance(value, dict):
        found += [f"{where}: lacks {key}" for key in schema.get("required", []) if key not in value]
        for key, inner in value.items():
            inside = schema.get("properties", {}).get(key, schema.get("additionalProperties", True))
            if inside is False:
                found.append(f"{where}: unknown {key}")
            elif isinstance(inside, dict):
                found += broken(inner, inside, f"{where}.{key}")
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            found.append(f"{where}: {len(value)} items")
        for number, inner in enumerate(value):
            found += broken(inner, schema.get("items", {}), f"{where}[{number}]")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        found.append(f"{where}: {value} out of range")
    return found


class Outline(HTMLParser):
    """Ids, links and what is loaded; void elements aside, every element must be closed in its order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        if "id" in values:
            self.ids.append(values["id"] or "")
        if tag == "a":
            self.links.append(values["href"] or "")
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value or "" for key, value in attrs if key == "id"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_schema_is_a_schema_and_every_report_fits_it(content: dict[str, Any], tmp_path: Path) -> None:
    assert SCHEMA["$schema"].endswith("2020-12/schema")
    assert broken(content, SCHEMA) == []
    alone = report("dlib-faces", tmp_path / "alone.json").content
    assert broken(alone, SCHEMA) == []
    assert broken({**content, "format": 2}, SCHEMA) == [".format: not 1"]
    assert broken({**content, "attributes": [{}]}, SCHEMA)[0].endswith("lacks attribute")
    if validator := pytest.importorskip("jsonschema", reason="the own check has passed"):
        validator.Draft202012Validator.check_schema(SCHEMA)
        validator.Draft202012Validator(SCHEMA).validate(content)


def test_page_is_whole_self_contained_and_links_lead_somewhere(page: str) -> None:
    outline = Outline(page)
    assert outline.open == []
    assert len(outline.ids) == len(set(outline.ids))
    assert all(link.startswith("#") and link[1:] in outline.ids for link in outline.links)
    assert not {"script", "link", "img", "iframe"} & set(outline.tags)
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert "prefers-color-scheme: dark" in style
    assert "@page" in style
    outside = re.sub(r'xmlns(:\w+)?="[^"]+"|<!DOCTYPE[^>]+>', "", page)
    assert not re.search(r"https?://", outside)
    assert len(page) < 2_000_000


def test_page_says_what_the_content_says(page: str, content: dict[str, Any]) -> None:
    from html import unescape

    page = unescape(page)
    for sentence in content["finding"]:
        assert sentence in page
    for card in content["attributes"]:
        assert f'id="attribute-{card["attribute"]}"' in page
        assert card["sentence"] in page
    for row in content["law"]["provisions"]:
        assert row["here"] in page
    for row in content["principles"]:
        assert row["given"] in page
    for caption in (
        "ROC curves",
        "Reliability diagrams",
        "What readings are read from",
        "dlib (left) and mbf (right)",
    ):
        assert caption in page


def test_figures_are_the_evaluations(
    content: dict[str, Any], evaluations: tuple[Evaluation, Evaluation]
) -> None:
    from sklearn.metrics import roc_auc_score

    one = evaluations[0]
    cards = {card["attribute"]: card for card in content["attributes"]}
    assert list(cards) == list(NAMES)
    aucs = []
    for k, name in enumerate(NAMES):
        known = one.labels[:, k] != 0
        if name == "Square_Face":
            continue
        expected = roc_auc_score(one.labels[known, k] > 0, one.methods["attribute"].scores[known, k])
        assert cards[name]["auc"] == pytest.approx(expected)
        aucs.append(expected)
    assert content["lead"]["method"] == "attribute"
    assert content["lead"]["auc"] == pytest.approx(sum(aucs) / 46)
    verdicts = one.methods["attribute"].verdicts
    told = (verdicts != 0) & (one.labels != 0)
    assert content["lead"]["error"] == pytest.approx((verdicts != one.labels)[told].mean())
    assert content["lead"]["coverage"] == pytest.approx(told.sum() / (one.labels != 0).sum())
    assert content["best_probe"]["method"] == "multi-label"


def test_finding_has_the_numbers(content: dict[str, Any]) -> None:
    what, how_surely, limits = content["finding"]
    assert "of the 46 facial attributes measured" in what
    assert f"{100 * content['lead']['auc']:.0f} of 100 cases" in how_surely
    assert "multi-label" in how_surely
    assert "mbf" in how_surely
    assert "made-up labels, on 300 photos of 100 persons" in limits
    assert f"{100 * content['lead']['error']:.1f} % of the single verdicts were wrong" in limits


def test_what_was_not_measured_is_said(content: dict[str, Any], tmp_path: Path) -> None:
    card = next(card for card in content["attributes"] if card["attribute"] == "Square_Face")
    assert card["level"] == "not measured"
    assert card["sentence"].startswith("Not measured: no positives (0 faces with it")
    assert content["absent"] == []
    alone = report("dlib-faces", tmp_path / "alone.html")
    missing = {row["what"].partition(" ")[0].strip(":,") for row in alone.absent}
    assert missing == {"single", "a", "confounds", "erasure"}
    assert "clip-smu confounds adds it" in alone.path.read_text(encoding="utf-8")


def test_report_of_the_shipped_interpreter_is_its_evidence(tmp_path: Path) -> None:
    reader = load_interpreter()
    found = report("dlib-faces", tmp_path / "alone.json").content
    for card, row in zip(found["attributes"], reader.evidence, strict=True):
        assert card["auc"] == row.auc
        assert card["n_positive"] == row.n_positive
    assert "machine-made" in found["measured"]["labels_are"]
    assert found["lead"]["error"] == reader.provenance["verdicts"]["error"]
    assert {"of": "dlib-faces", "what": "job", "value": reader.provenance["job"]} in found["provenance"]


def test_templates_of_a_misfed_encoder_are_told(
    evaluations: tuple[Evaluation, Evaluation], tmp_path: Path
) -> None:
    check = {"encoder": "dlib", "figures": {"accuracy": 0.9}, "photos": 9, "rejected": {}, "tried": ["BGR"]}
    for advice, words in (([], "no better preprocessing"), (["set channels to BGR"], "set channels to BGR")):
        fed = {**evaluations[0].manifest, "preprocessing_check": {**check, "misfed": advice}}
        write_evaluation(replace(evaluations[0], manifest=fed), tmp_path / f"e{len(advice)}")
        found = report(tmp_path / f"e{len(advice)}", tmp_path / f"{len(advice)}.html")
        assert words in found.content["measured"]["encoders"][0]["fed"]
        page = found.path.read_text(encoding="utf-8")
        assert ("was not fed right" in page) == bool(advice)
        assert words in page
        assert (
            "not fed right: encoder check: verification accuracy 90.00%; set channels to BGR." in page
        ) == bool(advice)


@pytest.mark.parametrize("form", ["json", "html"])
def test_hidden_attributes_leak_nowhere(run: Path, tmp_path: Path, form: str) -> None:
    hide = "race,gender,age"
    made = report(run, tmp_path / f"hidden.{form}", hide=hide)
    names = {NAMES[k] for k in resolve(hide)}
    assert made.attributes == 47 - len(names)
    values = {
        key: value for key, value in made.content.items() if key not in ("hidden", "law", "label_limits")
    }
    spelled = json.dumps(values)
    assert not [name for name in names if re.search(rf'"{name}"|\b{name}\b(?!_)', spelled)]
    assert values["erasure"] is None
    assert made.content["lead"]["low"] is None  # means are of other attributes than the table's
    if form == "html":
        text = made.path.read_text(encoding="utf-8")
        labels = [by_name(name).label for name in names]
        assert not [label for label in labels if f">{label}<" in text]
        assert "Left out of every figure" in text


def test_hiding_everything_is_refused(run: Path, tmp_path: Path) -> None:
    for source in (run, "dlib-faces"):
        with pytest.raises(InputError, match="hide fewer"):
            report(source, tmp_path / "none.json", hide=NAMES)


def test_photos_are_numbered_and_never_named(content: dict[str, Any], page: str) -> None:
    assert {row["photo"] for row in content["photos"]} == {1, 2, 3, 4, 5}
    assert "Person_" not in page
    assert "Person_" not in json.dumps(content)


def test_folders_of_the_machine_are_not_told(content: dict[str, Any], page: str) -> None:
    assert "/home/someone" not in json.dumps(content) + page
    assert "clip-smu evaluate --labels labels.csv" in content["measured"]["commands"]


def test_unfinished_runs_are_refused_unless_allowed(
    evaluations: tuple[Evaluation, Evaluation], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    write_evaluation(evaluations[0], folder / "dlib" / "evaluation")
    for manifest in ('{"format": 1, "finished": false}', '{"format": 1}'):
        (folder / "run.json").write_text(manifest)
        with pytest.raises(
            InputError, match=r"is not finished: run its clip-smu reproduce again.*--allow-unfinished"
        ):
            report(folder, tmp_path / "report.json")
    made = report(folder, tmp_path / "report.json", allow_unfinished=True)
    assert made.content["measured"]["finished"] is False
    (folder / "run.json").write_text("{")
    with pytest.raises(InputError, match="found damaged JSON"):
        read_source(folder)
    (folder / "run.json").write_text("[]")
    with pytest.raises(InputError, match="expected an object"):
        read_source(folder)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "run.json").write_text('{"finished": true}')
    with pytest.raises(InputError, match="no evaluation yet"):
        read_source(tmp_path / "empty")


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"holds none of run.json, evaluation.json, interpreter.json, probe.json"
    ):
        read_source(tmp_path)
    with pytest.raises(InputError, match="html or json, found 'pdf'"):
        report("dlib-faces", tmp_path / "a.html", form="pdf")


def test_an_evaluation_alone_and_the_command(
    evaluations: tuple[Evaluation, Evaluation], tmp_path: Path
) -> None:
    write_evaluation(evaluations[0], tmp_path / "evaluation")
    done = CliRunner().invoke(
        app,
        ["report", str(tmp_path / "evaluation"), "-o", str(tmp_path / "out.json"), "--labels-are", "drawn by lot",
         "--hide", "race"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    values = json.loads((tmp_path / "out.json").read_text())
    assert values["kind"] == "evaluation"
    assert values["measured"]["labels_are"] == "drawn by lot"
    assert values["hidden"] == list(SENSITIVE["race"])
    assert values["finding"][0] in done.output
    assert "not in it: a comparison" in done.output


def test_erasure_and_confounds_are_told(content: dict[str, Any], page: str) -> None:
    (erased,) = content["erasure"]
    assert [row["attribute"] for row in erased["readings"]] == ["Male"]  # only what was erased
    assert ERASURE["sentence"] in page
    assert "accuracy 99.00 % before, 98.50 % after" in page
    (confound,) = content["confounds"]
    assert len(confound["read_from"]["auc"]) == 47
    card = next(card for card in content["attributes"] if card["attribute"] == "Bald")
    assert card["conditional"][0]["by"] == "Male"
    assert abs(card["conditional"][0]["drop"]) < 0.1  # attributes of the made-up faces are independent


def test_comparison_counts_are_of_the_rows(content: dict[str, Any]) -> None:
    (row,) = content["comparisons"]
    assert (row["a"], row["b"], row["attributes"]) == ("dlib", "mbf", 47)
    assert row["not_tested"] == sum(one["difference"] is None for one in row["rows"])
    assert row["a_more"] == row["b_more"] == 0  # the same scores under two names
    assert row["difference"] == 0


def test_text_is_escaped(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    made = report("dlib-faces", tmp_path / "a.html", labels_are="<script>alert('&')</script>")
    text = made.path.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize(
    ("auc", "low", "word"),
    [(0.97, 0.91, "readable"), (0.97, 0.90, "partly readable"), (0.8, 0.7, "weakly readable"),
     (0.55, 0.5, "not readable"), (0.9, None, "not measured"), (None, None, "not measured")],
)  # fmt: skip
def test_levels_go_by_the_lower_end(auc: float | None, low: float | None, word: str) -> None:
    assert level(auc, low) == word


def test_sentences_do_not_round_up_to_certainty() -> None:
    assert pairs_of_100(0.9999) == "more than 99"
    card = {"level": "not readable", "auc": 0.53, "reason": "", "n_positive": 20, "n_negative": 20}
    assert (
        of_attribute(card)
        == "Not readable: of 100 pairs of one face with and one without, 53 are ranked right, which could be chance."
    )


def test_law_names_the_provisions_of_the_brief() -> None:
    articles = {(row.act, row.article) for row in law().provisions}
    for act, part in (
        ("GDPR", "4(14)"),
        ("GDPR", "9(1)"),
        ("AI Act", "5(1)(g)"),
        ("AI Act", "Annex III point 1(b)"),
        ("AI Act", "50(3)"),
    ):
        assert any(act == one and part in article for one, article in articles)


def test_the_texts_are_whole_and_an_edited_place_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from clip_smu.report import law as room

    whole = law()
    assert len({(row.act, row.article) for row in whole.provisions}) == len(whole.provisions) >= 10
    assert [row.principle for row in whole.principles] == [
        "Explanation", "Meaningful", "Explanation accuracy", "Knowledge limits",
    ]  # fmt: skip
    broken = {"note": "n", "label_limits": ["l"], "provisions": [{"act": "GDPR", "article": "", "says": "s"}]}
    monkeypatch.setattr(room, "read_toml", lambda *_: broken)
    law.cache_clear()
    with pytest.raises(InputError, match=r"the texts of a report in .*law\.toml: at provisions\[0\]"):
        law()
    law.cache_clear()


def test_every_section_has_a_template_and_no_other_lies_about() -> None:
    from importlib.resources import files

    from clip_smu.report.page import SECTIONS

    there = {file.name for file in files("clip_smu.report").joinpath("templates").iterdir()}
    parts = {"page.html", "header.html", "macros.html", "bar.html", "report.css"}
    assert there == parts | {f"{key}.html" for key, _ in SECTIONS}


def test_types_and_schema_name_the_same_fields() -> None:
    """Of every object, all the way down: the same names, and null in both or in neither."""
    from importlib.resources import files

    import msgspec

    from clip_smu.report.types import Content

    schema = json.loads(files("clip_smu").joinpath("data/report.schema.json").read_text(encoding="utf-8"))
    compared: list[str] = []

    def resolved(form: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        if "$ref" in form:
            return resolved(schema["$defs"][form["$ref"].rpartition("/")[2]])
        for key in ("anyOf", "oneOf"):
            if key in form:
                known = [one for one in form[key] if one.get("type") != "null"]
                return resolved(known[0])[0], len(known) < len(form[key])
        kinds = form.get("type") if isinstance(form.get("type"), list) else [form.get("type")]
        return form, "null" in kinds or None in form.get("enum", ())

    def compare(kind: Any, form: dict[str, Any], where: str) -> None:
        form, nullable = resolved(form)
        parts = kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,)
        named = [one for one in parts if not isinstance(one, msgspec.inspect.NoneType)]
        assert nullable == (len(named) < len(parts)), where
        (kind,) = named
        if isinstance(kind, msgspec.inspect.StructType):
            theirs = set(form["properties"]) - ({"attribute"} if where.endswith("conditional[]") else set())
            assert {field.encode_name for field in kind.fields} == theirs, where
            compared.append(where)
            for field in kind.fields:
                compare(field.type, form["properties"][field.encode_name], f"{where}.{field.encode_name}")
        elif isinstance(kind, msgspec.inspect.ListType):
            compare(kind.item_type, form["items"], f"{where}[]")

    compare(msgspec.inspect.type_info(Content), schema, "")
    assert len(compared) > 30
