"""What a package index says of a lock: real uv against an index on this machine."""

from __future__ import annotations

import os
import shutil
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scripts.kubernetes.binaries import CACHE
from scripts.supply.index import check_index

UV = shutil.which("uv") or str(CACHE / "uv" / "bin" / "uv")


class Index:
    """An index that offers releases of one package, ``sample``; and a project that locked one of them."""

    def __init__(self, folder: Path, port: int) -> None:
        self.page = folder / "index" / "sample" / "index.html"
        self.page.parent.mkdir(parents=True)
        self.project = folder / "project"
        self.project.mkdir()
        self.lock = self.project / "requirements.lock"
        self.url = f"http://127.0.0.1:{port}/index"

    def offer(self, version: str, yanked: str | None = None) -> str:
        """Adds a release; returns the SHA-256 of its wheel."""
        wheel = self.page.with_name(f"sample-{version}-py3-none-any.whl")
        info = f"sample-{version}.dist-info"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: sample\nVersion: {version}\n")
            archive.writestr(
                f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
        digest = sha256(wheel.read_bytes()).hexdigest()
        mark = "" if yanked is None else f' data-yanked="{yanked}"'
        with self.page.open("a") as page:
            page.write(f'<a href="{wheel.name}#sha256={digest}"{mark}>{wheel.name}</a>\n')
        return digest

    def ask(self, requirement: str) -> list[str]:
        """What the check finds when the project asks for ``requirement``."""
        (self.project / "pyproject.toml").write_text(
            f'[project]\nname = "project"\nversion = "1"\ndependencies = ["{requirement}"]\n'
        )
        return check_index(
            [UV, "pip", "compile", "pyproject.toml", "--generate-hashes", "--no-header", "--no-annotate",
             "--no-config", "--default-index", self.url, "--cache-dir", str(self.project / "cache")],
            self.lock,
        )  # fmt: skip


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Index(tmp_path, server.server_port)
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_lock_that_fits_stands_though_newer_releases_are_offered(index: Index) -> None:
    index.lock.write_text(f"sample==1.0 \\\n    --hash=sha256:{index.offer('1.0')}\n")
    index.offer("2.0")
    assert index.ask("sample>=1") == []


def test_a_yanked_release_is_found(index: Index) -> None:
    digest = index.offer("1.0", yanked="loses data")
    index.lock.write_text(f"sample==1.0 \\\n    --hash=sha256:{digest}\n")
    assert index.ask("sample>=1") == ['sample==1.0: yanked by its authors ("loses data"); run `make lock`']


def test_a_requirement_that_the_lock_does_not_meet_is_found(index: Index) -> None:
    index.lock.write_text(f"sample==1.0 \\\n    --hash=sha256:{index.offer('1.0')}\n")
    index.offer("2.0")
    assert index.ask("sample>=2") == ["requirements.lock does not fit pyproject.toml; run `make lock`"]
    assert "sample==1.0" in index.lock.read_text(), "the lock itself stays as it is"


def test_a_release_that_the_index_has_no_more_is_found(index: Index) -> None:
    index.offer("2.0")
    index.lock.write_text("sample==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n")
    assert index.ask("sample>=1") == ["requirements.lock does not fit pyproject.toml; run `make lock`"]


def test_an_index_that_cannot_be_reached_fails_and_says_what_can_be_done(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.lock.write_text(f"sample==1.0 \\\n    --hash=sha256:{index.offer('1.0')}\n")
    monkeypatch.setitem(os.environ, "UV_HTTP_RETRIES", "0")
    index.url = "http://127.0.0.1:9/index"
    (problem,) = index.ask("sample>=1")
    assert problem.startswith("uv could not ask the package index, or found no solution")
    assert "`.venv/bin/python -m scripts.supply.audit`" in problem
    assert "http://127.0.0.1:9" in problem
