"""Make the reading copy: python book/build.py

Both editions' notebooks with the outputs that they are stored with, the results, the glossary and the package's
docstrings, as a static site in build/book. Nothing is executed. An earlier site stays until the new one is whole.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
# palm_utils sets PaddlePaddle's threads when that is imported; here a stand-in is.
os.environ["PALM_THREADS"] = "1"

import hosting  # noqa: E402
from sources import EDITIONS, ROOT, Sources, missing_imports  # noqa: E402
from sphinx.ext.autodoc.mock import mock  # noqa: E402

with mock(missing_imports()):
    from palm_course.results import stored  # noqa: F401 - read with the stand-ins that they need
    from palm_utils.files import replacing_folder
    from palm_utils.messages import CourseError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=ROOT / "build" / "book", help="the site's folder")
    parser.add_argument("--chapters", nargs="*", default=[], help="beginnings of chapters (01 03), all by default")
    parser.add_argument("--repository", default=hosting.REPOSITORY, help="where the repository is hosted")
    parser.add_argument("--jobs", default="auto", help="processes (auto: one for each core)")
    args = parser.parse_args()
    started = time.perf_counter()
    try:
        with replacing_folder(args.to) as site, tempfile.TemporaryDirectory() as work:
            for edition in EDITIONS:
                build(edition, Path(work) / edition, site / ("zh" if edition == "zh" else ""), args)
    except CourseError as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError:
        sys.exit("The book was not built: Sphinx's warnings, which count as errors, are above.")
    print(f"Built {len(list(args.to.rglob('*.html')))} pages in {time.perf_counter() - started:.0f} s: {args.to}")
    return 0


def build(edition: str, work: Path, site: Path, args: argparse.Namespace) -> None:
    sources = work / "sources"
    (sources / "static").mkdir(parents=True)
    with mock(missing_imports()):
        Sources(edition, sources, args.chapters, args.repository.rstrip("/")).write()
    doctrees = str(work / "doctrees")
    options = ["--fail-on-warning", "--keep-going", "--quiet", "--jobs", args.jobs, "--conf-dir", str(HERE)]
    command = [sys.executable, "-m", "sphinx", *options, "--doctree-dir", doctrees, str(sources), str(site)]
    subprocess.run(command, check=True, env=os.environ | {"BOOK_SOURCES": str(sources)})
    # What MyST-NB and Sphinx leave for their own use.
    shutil.rmtree(site / "jupyter_execute", ignore_errors=True)
    (site / ".buildinfo").unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
