"""A browser, the book on a local server, and JupyterLab on a copy of the course: for `make test-browser` alone."""

import functools
import http.server
import os
import shutil
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BOOK = Path(os.environ.get("BOOK_SITE", ROOT / "build" / "book"))
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def pytest_ignore_collect(collection_path, config):
    """Leave these tests out wherever they are not asked for by name: `make test` needs neither browser nor book."""
    asked = (Path(argument.partition("::")[0]).resolve() for argument in config.args)
    return None if any(Path(__file__).parent in [path, *path.parents] for path in asked) else True


@pytest.fixture(scope="session")
def browser():
    """The machine's own Chromium; without one the tests are skipped."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: make test-browser")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("there is no Chromium here (Debian: apt install chromium); CHROMIUM names another one")
    # Chromium refuses its sandbox to root, as whom containers run.
    arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def book():
    """Address of the book, served from this machine."""
    if not (BOOK / "index.html").is_file():
        pytest.fail(f"there is no book in {BOOK}: make book")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=BOOK))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


class Watched:
    """A page of the browser, and what went wrong in it: errors on the console, failed and foreign requests."""

    def __init__(self, page, address: str):
        self.page, self.address, self.faults = page, address, []
        page.on("console", lambda m: self.faults.append(f"console: {m.text}") if m.type == "error" else None)
        page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        page.on("requestfailed", self._failed)
        page.on("request", self._request)
        page.on("response", lambda r: self.faults.append(f"{r.status}: {r.url}") if r.status >= 400 else None)

    def _request(self, request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.faults.append(f"another host: {request.url}")

    def _failed(self, request) -> None:
        # Leaving a page that is not whole yet ends what it was asking for.
        if request.failure != "net::ERR_ABORTED":
            self.faults.append(f"failed: {request.url}: {request.failure}")

    def open(self, path: str) -> None:
        self.page.goto(self.address + path, wait_until="load")


@pytest.fixture
def open_page(browser, book):
    """A function that opens a page of the book: open_page("index.html", width=390, color_scheme="dark")."""
    contexts = []

    def opened(path: str, width: int = 1280, **options) -> Watched:
        contexts.append(browser.new_context(viewport={"width": width, "height": 844}, **options))
        watched = Watched(contexts[-1].new_page(), book)
        watched.open(path)
        return watched

    yield opened
    for context in contexts:
        context.close()
