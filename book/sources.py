"""The pages of each edition, and the folder of sources that Sphinx builds them from."""

import ast
import importlib.util
import json
import re
from functools import partial
from pathlib import Path

import api_pages
import hosting
import nbformat
import notebook_pages
import readme
import results_page
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from links import relink
from words import THEME_ZH, WORDS

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "palm_utils"
EDITIONS = ("en", "zh")


def missing_imports() -> list[str]:
    """Return the libraries that palm_utils imports and this environment has not; docstrings need none of them."""
    names = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return sorted(name for name in names if importlib.util.find_spec(name) is None)


def pages(edition: str, only: list[str]) -> dict[str, str]:
    """Return the file or folder of the repository that each page shows, by the page's name, in reading order.

    only: beginnings of the chapters to take, all when empty.
    """
    zh = edition == "zh"
    notebooks, suffix = ("notebooks/zh", ".zh-CN.md") if zh else ("notebooks", ".md")
    chapters, solutions = ({p.stem: p for p in _chapters(notebooks + of, only)} for of in ("", "/solutions"))
    found = {"index": f"README{suffix}", "guide": f"README{suffix}", "data": f"data/README{suffix}"}
    found |= {name: f"{notebooks}/{name}.ipynb" for name in chapters}
    found |= {"results": "results"}
    found |= {f"solutions/{name}": f"{notebooks}/solutions/{name}.ipynb" for name in solutions}
    found |= {"glossary": "docs/glossary.md", "api/index": "palm_utils"}
    if not zh:  # The docstrings are English.
        found |= {f"api/{name}": f"palm_utils/{name}" for name in api_pages.modules(PACKAGE)}
    # The front page is there without a README, which the Chinese edition may not have yet.
    return {page: path for page, path in found.items() if page == "index" or _exists(path)}


def _exists(path: str) -> bool:
    return (ROOT / path).exists() or (ROOT / f"{path}.py").exists()


def _chapters(folder: str, only: list[str]) -> list[Path]:
    # Not what JupyterLab and people put beside a chapter: 01_lenet_mnist-Copy1.ipynb.
    paths = [p for p in (ROOT / folder).glob("*.ipynb") if re.fullmatch(r"\d\d_[a-z0-9_]+", p.stem)]
    return sorted(p for p in paths if not only or p.name.startswith(tuple(only)))


class Sources:
    """The sources of one edition, written into `folder`."""

    def __init__(self, edition: str, folder: Path, only: list[str], repository: str):
        self.edition, self.folder, self.words = edition, folder, WORDS[edition]
        self.all_pages = {name: pages(name, only) for name in EDITIONS}
        self.pages = self.all_pages[edition]
        self.repository = repository

    def write(self) -> None:
        """Write everything; raises DataError for a notebook or a stored result that cannot be read."""
        chapters = {page: self._notebook(page) for page in self.pages if self.pages[page].endswith(".ipynb")}
        self._front(chapters)
        if "data" in self.pages:
            self._put("data", self._read(self.pages["data"]))
        if "glossary" in self.pages:
            self._put("glossary", self._read(self.pages["glossary"]))
        titles = {page: notebook_pages.title_of(book) for page, book in chapters.items()}
        self._put("results", results_page.page(self.edition, self.words["results"], titles), relinked=False)
        address = "../../api/{}.html" if self.edition == "zh" else "{}.html"
        self._put("api/index", api_pages.index(PACKAGE, self.words["api"], self.words, address) + self._modules())
        for page in self.pages:
            if page.startswith("api/") and page != "api/index":
                self._put(page, api_pages.page(PACKAGE, page.partition("/")[2]), relinked=False)
        links = {page: self._links(page) for page in self.pages}
        about = {"edition": self.edition, "pages": self.all_pages, "links": links}
        (self.folder / "edition.json").write_text(json.dumps(about), encoding="utf-8")
        if self.edition == "zh":
            self._catalogue()

    def _notebook(self, page: str):
        from palm_utils.messages import DataError

        try:
            book = nbformat.read(ROOT / self.pages[page], as_version=4)
        except (nbformat.reader.NotJSONError, nbformat.ValidationError, KeyError) as error:
            raise DataError(f"{self.pages[page]} is no notebook, or a damaged one: {str(error)[:200]}") from error
        notebook_pages.prepare(book, partial(self._relink, page, self.pages[page]), self.words)
        nbformat.write(book, self._place(page))
        return book

    def _front(self, books: dict) -> None:
        """Write the front page, and what else the README says as the page on set-up and use."""
        path = self.pages["index"]
        about = readme.read(self._read(path) if (ROOT / path).is_file() else f"# .\n\n{self.words['intro']}\n")
        shown = []
        for page, book in books.items():
            if page.startswith("solutions/"):
                continue
            number, _, title = notebook_pages.title_of(book).partition(" ")
            chapter = about.chapters.get(page) or readme.Chapter(number, title, "", "", "")
            picture = notebook_pages.picture_of(book, page)
            if picture:
                (self.folder / "static" / "cards").mkdir(parents=True, exist_ok=True)
                (self.folder / "static" / "cards" / f"{page}.png").write_bytes(picture)
            shown.append((page, chapter, f"_static/cards/{page}.png" if picture else ""))
        buttons = [(shown[0][0], self.words["read"])] if shown else []
        buttons += [("guide", self.words["set_up"])] if "guide" in self.pages else []
        links = " ".join(f'<a class="button" href="{page}.html">{text}</a>' for page, text in buttons)
        parts = [f"# {self.words['title']}", about.intro, f'<p class="buttons">{links}</p>' if links else ""]
        parts += [f"## {self.words['chapters']}", readme.cards(shown, self.words), about.below_chapters]
        self._put("index", "\n\n".join([*parts, *self._contents()]))
        if "guide" in self.pages:
            self._put("guide", f"# {self.words['guide']}\n\n{about.rest}\n")

    def _contents(self) -> list[str]:
        """Return the book's order, which the sidebar and "next" follow."""
        names = list(self.pages)
        chapters = [name for name in names if re.match(r"\d\d_", name)]
        groups = [
            ("", [name for name in ("guide", "data") if name in names]),
            (self.words["chapters"], [*chapters, "results"]),
            (self.words["solutions"], [name for name in names if name.startswith("solutions/")]),
            (self.words["reference"], [name for name in ("glossary", "api/index") if name in names]),
        ]
        return [_toctree(pages, caption) for caption, pages in groups if pages]

    def _modules(self) -> str:
        return _toctree([f"/{p}" for p in self.pages if p.startswith("api/") and p != "api/index"], "")

    def _read(self, path: str) -> str:
        return (ROOT / path).read_text(encoding="utf-8")

    def _put(self, page: str, text: str, *, relinked: bool = True) -> None:
        text = self._relink(page, self.pages[page], text) if relinked else text
        self._place(page).write_text(text, encoding="utf-8")

    def _place(self, page: str) -> Path:
        path = self.folder / self._source(page)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _source(self, page: str) -> str:
        if self.pages[page].endswith(".ipynb"):
            return f"{page}.ipynb"
        return f"{page}.rst" if page.startswith("api/") and page != "api/index" else f"{page}.md"

    def _relink(self, page: str, place: str, text: str) -> str:
        return relink(text, place, self._source(page), self._targets(), self.repository)

    def _targets(self) -> dict[str, str]:
        """Return what shows each file of the repository: a source file of this edition, or a page of the other."""
        other = next(edition for edition in EDITIONS if edition != self.edition)
        prefix = "../" if self.edition == "zh" else "zh/"
        targets = {}
        for page, path in self.all_pages[other].items():
            # An English file that has a Chinese page leads there; the reverse would change the language.
            same = self.edition == "zh" and page in self.pages
            targets[path] = self._source(page) if same else f"{prefix}{page}.html"
        targets |= {path: self._source(page) for page, path in self.pages.items() if page != "index"}
        modules = {path for path in targets if path.startswith("palm_utils/")}
        targets |= {f"{path}.py": targets[path] for path in modules}
        targets["palm_utils/__init__.py"] = targets["palm_utils"]
        return targets

    def _links(self, page: str) -> list[tuple[str, str]]:
        """Return the links of a page that depend on where the repository is hosted."""
        path = self.pages[page]
        if page.startswith("api/") and page != "api/index":
            module = PACKAGE / f"{page.partition('/')[2]}.py"
            path = f"{path}.py" if module.is_file() else path
        links = [(self.words["source"], hosting.source_url(path, self.repository))]
        if path.endswith(".ipynb"):
            links.append((self.words["run"], hosting.run_url(path, self.repository)))
        return [(words, address) for words, address in links if address]

    def _catalogue(self) -> None:
        """Write the theme's words, which Sphinx's own catalogue lacks."""
        catalogue = Catalog(locale="zh_CN")
        for english, chinese in THEME_ZH.items():
            catalogue.add(english, chinese)
        path = self.folder / "locale" / "zh_CN" / "LC_MESSAGES" / "sphinx.mo"
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "wb") as file:
            write_mo(file, catalogue)


def _toctree(pages: list[str], caption: str) -> str:
    if not pages:
        return ""
    about = [":hidden:", *([f":caption: {caption}"] if caption else [])]
    return "\n".join(["```{toctree}", *about, "", *pages, "```", ""])
