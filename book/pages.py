"""The pages of an edition, written as sources for Sphinx: README, chapters, results, glossary, the packages."""

import ast
import base64
import json
import posixpath
import re
from importlib.util import find_spec
from pathlib import Path

import nbformat
import readme
import results_page
from words import WORDS

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("palm_utils", "palm_course")
# Where the repository is hosted, such as "https://github.com/NAME/REPOSITORY"; links to files that are no page of
# the book lead there, and are plain text while this is empty.
REPOSITORY = ""
# The picture that stands for a chapter on the front page: the cell that draws it.
PICTURES = {
    "01_lenet_mnist": "ch01-030",
    "02_ichallenge_pm": "ch02-012",
    "03_alexnet": "ch03-053",
    "04_vgg": "ch04-027",
    "05_googlenet": "ch05-201",
    "06_resnet": "ch06-227",
    "07_highlevel_api_cifar10": "ch07-061",
    "08_summary": "ch08-045",
}
# Code comes first: what stands in it is no link.
_CODE_OR_LINK = re.compile(
    r"(?P<code>^```.*?^```|`[^`\n]+`)"
    r"|(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?P<target>[^()\s]*(?:\([^()\s]*\)[^()\s]*)*)\)",
    re.DOTALL | re.MULTILINE,
)
_FIGURE_TITLE = re.compile(r'(?:\btitle ?= ?|\bset_title\(|\bsuptitle\()f?"((?:[^"\\]|\\.)+)"')


def missing_imports() -> list[str]:
    """Return the libraries that the packages import and this environment has not; docstrings need none of them."""
    names = set()
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return sorted(name for name in names if find_spec(name) is None)


def modules(package: str) -> list[str]:
    """Return the names of a package's public modules, without old names and what single exercises consist of."""
    names = []
    for path in (ROOT / package).rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        is_public = not any(re.match("_|checks_|chapter_", part) for part in parts[1:])
        if is_public and len(parts) > 1 and "old name" not in path.read_text(encoding="utf-8").partition("\n")[0]:
            names.append(".".join(parts))
    return sorted(names)


def pages(edition: str) -> dict[str, str]:
    """Return the file or folder of the repository that each page shows, by the page's name, in reading order."""
    notebooks, suffix = ("notebooks/zh", ".zh-CN.md") if edition == "zh" else ("notebooks", ".md")
    # Not what JupyterLab and people put beside a chapter: 01_lenet_mnist-Copy1.ipynb.
    listed = [p.stem for p in sorted((ROOT / notebooks).glob("*.ipynb")) if re.fullmatch(r"\d\d_[a-z0-9_]+", p.stem)]
    found = {"index": f"README{suffix}", "guide": f"README{suffix}", "data": f"data/README{suffix}"}
    found |= {name: f"{notebooks}/{name}.ipynb" for name in listed}
    found |= {"results": "results"}
    found |= {f"solutions/{name}": f"{notebooks}/solutions/{name}.ipynb" for name in listed}
    found |= {"glossary": "docs/glossary.md", "api": "palm_utils"}
    return {page: path for page, path in found.items() if (ROOT / path).exists()}


def relink(text: str, edition: str, page: str) -> str:
    """Return Markdown of a page with its relative links pointed at pages of the book, or at the repository."""
    own, other = pages(edition), pages("en" if edition == "zh" else "zh")
    aside = posixpath.relpath(
        "." if edition == "zh" else "zh", posixpath.join(edition.strip("en"), posixpath.dirname(page)) or "."
    )
    known = {path: f"{aside}/{name}.html" for name, path in other.items()}
    # An English file that has a Chinese page leads there; the reverse would change the language.
    known |= {other[name]: _source(name, own) for name in own if name in other and edition == "zh"}
    known |= {path: _source(name, own) for name, path in own.items() if name != "index"}

    def replace(match: re.Match) -> str:
        target = match["target"]
        if match["code"] or match["image"] or re.match(r"[a-z]+:|#|$", target):
            return match[0]
        path, hash_, anchor = target.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(own[page]), path))
        inside = known.get(path) or known.get(path.partition("/")[0] if path.startswith(PACKAGES) else "")
        if inside and inside.endswith(".html"):  # a page of the other edition, which Sphinx does not know
            return f'<a href="{inside}{hash_}{anchor}">{match["text"]}</a>'
        if inside:
            inside = posixpath.relpath(inside, posixpath.dirname(page) or ".")
            return f"[{match['text']}]({inside}{hash_}{anchor})"
        return f"[{match['text']}]({REPOSITORY}/blob/main/{path})" if REPOSITORY else match["text"]

    return _CODE_OR_LINK.sub(replace, text)


def _source(page: str, own: dict[str, str]) -> str:
    return f"{page}.ipynb" if own[page].endswith(".ipynb") else f"{page}.md"


def write(edition: str, folder: Path) -> None:
    """Write the sources of an edition; raises CourseError for a notebook or stored result that cannot be read."""
    from palm_course.chapters import load

    own, words = pages(edition), WORDS[edition]
    (folder / "static").mkdir(parents=True)
    (folder / "solutions").mkdir()
    books = {page: load(ROOT / path) for page, path in own.items() if path.endswith(".ipynb")}
    titles = {page: book.cells[0].source.partition("\n")[0].removeprefix("# ") for page, book in books.items()}
    cards = []
    for page, book in books.items():
        prepare(book, edition, page)
        nbformat.write(book, folder / f"{page}.ipynb")
        if picture := picture_of(book, page):
            (folder / "static" / f"{page}.png").write_bytes(picture)
        if not page.startswith("solutions/"):
            cards.append((page, titles[page], f"_static/{page}.png" if picture else ""))
    about = readme.read((ROOT / own["index"]).read_text(encoding="utf-8"))
    texts = {page: (ROOT / own[page]).read_text(encoding="utf-8") for page in ("data", "glossary") if page in own}
    texts |= {"index": f"{readme.front(about, cards, words)}\n\n{_contents(own, words)}"}
    texts |= {"guide": f"# {words['guide']}\n\n{about.rest}\n", "api": _api(edition, words)}
    for page, text in texts.items():
        (folder / f"{page}.md").write_text(relink(text, edition, page), encoding="utf-8")
    (folder / "results.md").write_text(results_page.page(edition, words["results"], titles), encoding="utf-8")
    (folder / "edition.json").write_text(
        json.dumps({"edition": edition, "others": list(pages("en" if edition == "zh" else "zh"))})
    )


def prepare(book, edition: str, page: str) -> None:
    """Change a notebook, as nbformat reads it, into what Sphinx is given. Code and outputs stay."""
    heading = ""
    for cell in book.cells:
        if cell.cell_type == "markdown":
            heading = [heading, *re.findall(r"^#+ (.*)$", cell.source, re.MULTILINE)][-1]
            cell.source = relink(cell.source, edition, page)
        else:
            alt = figure_title(cell.source) or heading
            cell.metadata["mystnb"] = {"image": {"alt": WORDS[edition]["figure"].format(alt)}}
    # Lexer of the code cells; notebooks written by different Jupyters name it, or do not.
    book.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}


def figure_title(source: str) -> str:
    """Return the title that a cell gives its figure, "…" where it puts in a value; "" where none can be told."""
    found = _FIGURE_TITLE.search(source)
    return " ".join(re.sub(r"\{.*?\}", "…", found[1].replace("\\n", " ")).split()) if found else ""


def picture_of(book, chapter: str) -> bytes:
    """Return the PNG file that stands for a chapter; empty where its cell is not there or shows nothing."""
    outputs = [output for cell in book.cells if cell.id == PICTURES.get(chapter) for output in cell.get("outputs", [])]
    shown = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    return base64.b64decode(shown[0]) if shown else b""


def _contents(own: dict[str, str], words: dict[str, str]) -> str:
    """Return the book's order, which the sidebar and "next" follow."""
    groups = {
        "": ["guide", "data"],
        words["chapters"]: [page for page in own if re.match(r"\d\d_", page)] + ["results"],
        words["solutions"]: [page for page in own if page.startswith("solutions/")],
        words["reference"]: ["glossary", "api"],
    }
    parts = []
    for caption, names in groups.items():
        about = [":hidden:", *([f":caption: {caption}"] if caption else []), ""]
        parts.append("\n".join(["```{toctree}", *about, *(name for name in names if name in own), "```"]))
    return "\n\n".join(parts)


def _api(edition: str, words: dict[str, str]) -> str:
    """Return the page on the packages; their docstrings are English, so that the Chinese page only leads there."""
    if edition == "zh":
        return f"# {words['api']}\n\n{words['api_english']}\n"
    parts = [f"# {words['api']}"]
    for package in PACKAGES:
        table = ["```{eval-rst}", ".. autosummary::", "   :toctree: api", ""]
        parts += [f"## {package}", "\n".join([*table, *(f"   {name}" for name in modules(package)), "```"])]
    return "\n\n".join(parts) + "\n"
