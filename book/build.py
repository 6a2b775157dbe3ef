"""Make the reading copy: python book/build.py

Both editions' notebooks with the outputs that they are stored with, the results, the glossary and the package's
docstrings, as a static site in build/book. Nothing is executed. An earlier site stays until the new one is whole.

README's pictures of it: chromium --headless --window-size=1200,800 --screenshot=docs/images/book-front.png
file://$PWD/build/book/index.html, and with 390,780 a chapter of zh/ for book-phone.png.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from pages import ROOT, missing_imports, write  # noqa: E402
from sphinx.ext.autodoc.mock import mock  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=ROOT / "build" / "book", help="the site's folder")
    parser.add_argument("--jobs", default="auto", help="processes (auto: one for each core)")
    args = parser.parse_args()
    with mock(missing_imports()):
        from palm_utils.files import replacing
        from palm_utils.messages import CourseError

        with replacing(args.to, folder=True) as site, tempfile.TemporaryDirectory() as work:
            for edition, place in (("en", site), ("zh", site / "zh")):
                sources = Path(work, edition)
                try:
                    write(edition, sources)
                except CourseError as error:
                    sys.exit(str(error))
                options = ["--fail-on-warning", "--keep-going", "--quiet", "--jobs", args.jobs, "--conf-dir", str(HERE)]
                options += ["--doctree-dir", str(sources / "doctrees")]
                command = [sys.executable, "-m", "sphinx", *options, str(sources), str(place)]
                if subprocess.run(command, env=os.environ | {"BOOK_SOURCES": str(sources)}).returncode:
                    sys.exit("The book was not built: Sphinx's warnings, which count as errors, are above.")
                # What MyST-NB and Sphinx leave for their own use.
                shutil.rmtree(place.parent / "jupyter_execute", ignore_errors=True)
                (place / ".buildinfo").unlink(missing_ok=True)
    print(f"Built {len(list(args.to.rglob('*.html')))} pages: {args.to}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
