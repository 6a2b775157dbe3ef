"""Make the README's pictures of the book: .venv-browser/bin/python book/screenshots.py [--book FOLDER]"""

import argparse
import functools
import http.server
import io
import shutil
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
LARGEST = 150_000  # bytes: a README is to load quickly
# Name: page, width and height of the window in pixels, light or dark, the element that is scrolled to.
SHOTS = {
    "book-front.png": ("index.html", (1200, 800), "light", None),
    "book-phone.png": ("zh/01_lenet_mnist.html", (390, 780), "dark", "img"),
}

INTO_VIEW = """element => {
    element.scrollIntoView({block: 'center', behavior: 'instant'});
    return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--book", type=Path, default=ROOT / "build" / "book")
    parser.add_argument("--to", type=Path, default=IMAGES)
    args = parser.parse_args()
    if not (args.book / "index.html").is_file():
        sys.exit(f"There is no book in {args.book}: make book")
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("There is no chromium here (Debian: apt install chromium)")
    from playwright.sync_api import sync_playwright

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=args.book))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    args.to.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        # The pages are our own; Chromium refuses its sandbox to root, as whom containers run.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, (path, (width, height), scheme, scrolled_to) in SHOTS.items():
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto(f"http://127.0.0.1:{server.server_port}/{path}", wait_until="load")
            page.wait_for_function("() => [...document.images].every(image => image.complete)")
            if scrolled_to:
                page.locator(f"article {scrolled_to}").first.evaluate(INTO_VIEW)
            picture = small(page.screenshot())
            if len(picture) > LARGEST:
                sys.exit(f"{name} has {len(picture):,} bytes, more than {LARGEST:,}: take less of the page")
            (args.to / name).write_bytes(picture)
            print(f"{args.to / name}: {len(picture):,} bytes")
        browser.close()
    server.shutdown()
    return 0


def small(picture: bytes) -> bytes:
    """Return a PNG file with a palette of 256 colours, which text, plots and a few photographs do with."""
    from PIL import Image

    written = io.BytesIO()
    with Image.open(io.BytesIO(picture)) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(written, "PNG", optimize=True)
    return written.getvalue()


if __name__ == "__main__":
    sys.exit(main())
