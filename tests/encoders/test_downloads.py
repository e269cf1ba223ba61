"""Downloads against a local server: whole, resumed, broken off, wrong, missing, unreachable."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from clip_smu.encoders.card import EncoderCard
from clip_smu.encoders.downloads import download, pull
from clip_smu.encoders.locate import card
from clip_smu.errors import EncoderError

CONTENT = np.random.default_rng(0).bytes(3_000_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """What the server does, and what it was asked."""

    url: str = ""
    content: bytes = CONTENT
    ranges: bool = True
    drop_after: list[int] = field(default_factory=list)  # bytes of each answer before the line breaks
    asked: list[str | None] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.asked.append(asked)
            if self.path != "/weights.onnx":
                self.send_error(404)
                return
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and state.ranges else 0
            if start >= len(state.content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(state.content)}")
                self.end_headers()
                return
            body = state.content[start:]
            self.send_response(206 if start else 200)
            if start:
                self.send_header(
                    "Content-Range", f"bytes {start}-{len(state.content) - 1}/{len(state.content)}"
                )
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state.drop_after.pop(0)] if state.drop_after else body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{http.server_address[1]}/weights.onnx"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    http.shutdown()
    http.server_close()
    thread.join()


def test_whole(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    target = tmp_path / "deep" / "weights.onnx"
    assert download(server.url, target, DIGEST, lambda done, total: seen.append((done, total)))
    assert target.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [file.name for file in target.parent.iterdir()] == ["weights.onnx"]
    assert not download(server.url, target, DIGEST)  # there already
    assert len(server.asked) == 1
    target.write_bytes(b"damaged")
    assert download(server.url, target, DIGEST)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("ranges", [True, False])
def test_resumes_a_part(server: Server, tmp_path: Path, ranges: bool) -> None:
    server.ranges = ranges
    (tmp_path / "w.part").write_bytes(CONTENT[:1_000_000])
    assert download(server.url, tmp_path / "w", DIGEST)
    assert (tmp_path / "w").read_bytes() == CONTENT
    assert server.asked == ["bytes=1000000-"]


def test_part_that_is_whole(server: Server, tmp_path: Path) -> None:
    (tmp_path / "w.part").write_bytes(CONTENT)
    assert download(server.url, tmp_path / "w", DIGEST)
    assert (tmp_path / "w").read_bytes() == CONTENT


def test_part_longer_than_the_file(server: Server, tmp_path: Path) -> None:
    (tmp_path / "w.part").write_bytes(CONTENT + b"more")
    assert download(server.url, tmp_path / "w", DIGEST)
    assert (tmp_path / "w").read_bytes() == CONTENT


def test_line_breaks_in_the_middle(server: Server, tmp_path: Path) -> None:
    server.drop_after = [1_200_000, 700_000]
    assert download(server.url, tmp_path / "w", DIGEST)
    assert (tmp_path / "w").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=1200000-", "bytes=1900000-"]


def test_line_that_keeps_breaking_is_resumed_later(server: Server, tmp_path: Path) -> None:
    server.drop_after = [100_000] * 4
    with pytest.raises(
        EncoderError, match="broke 4 times, 400000 bytes are kept: run the same command again"
    ):
        download(server.url, tmp_path / "w", DIGEST)
    assert not (tmp_path / "w").exists()
    assert download(server.url, tmp_path / "w", DIGEST)
    assert server.asked[-1] == "bytes=400000-"
    assert (tmp_path / "w").read_bytes() == CONTENT


def test_hash_mismatch_starts_afresh(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT[:-1] + b"?"
    with pytest.raises(EncoderError, match=f"expected sha256 {DIGEST} from"):
        download(server.url, tmp_path / "w", DIGEST)
    assert not list(tmp_path.iterdir())
    server.content = CONTENT
    assert download(server.url, tmp_path / "w", DIGEST)


def test_404(server: Server, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"the server answered 404 .* by hand and put it at"):
        download(server.url + "x", tmp_path / "w", DIGEST)


def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/weights.onnx"
    with pytest.raises(EncoderError, match="cannot reach") as raised:
        download(url, tmp_path / "w", DIGEST)
    assert url in str(raised.value)
    assert str(tmp_path / "w") in str(raised.value)


def toy(server: Server, name: str = "arcface-mbf") -> EncoderCard:
    return replace(card(name), sources=(server.url,), sha256=DIGEST)


def test_pull_asks_for_the_licence(server: Server, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"non-commercial.*--accept-licence"):
        pull(toy(server), cache=tmp_path)
    assert not server.asked
    pulled = pull(toy(server), accept_licence=True, cache=tmp_path)
    assert pulled.path == tmp_path / "encoders" / "arcface-mbf" / "w600k_mbf.onnx"
    assert pulled.fetched
    assert not pulled.convert


def test_pull_needs_no_licence_where_it_is_permissive(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIP_SMU_CACHE", str(tmp_path))
    assert pull(toy(server, "adaface-ir18")).path.parent == tmp_path / "encoders" / "adaface-ir18"


def test_pull_without_address(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="encoders convert CHECKPOINT --architecture swinface"):
        pull(card("swinface"), cache=tmp_path)
    with pytest.raises(EncoderError, match="come with its package"):
        pull(card("dlib"), cache=tmp_path)
