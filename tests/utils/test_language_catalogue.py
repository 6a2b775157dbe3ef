"""The catalogue of Chinese messages: whole, in step with the code, and in the terms of the glossary."""

import ast
import gettext
import re
import string
from pathlib import Path

import nbformat
import pytest

import palm_utils
from palm_course import exercises
from palm_utils import messages as language
from palm_utils.messages import CHINESE

extract = pytest.importorskip("babel.messages.extract")
pofile = pytest.importorskip("babel.messages.pofile")

PACKAGE = Path(palm_utils.__file__).parent
ROOT = PACKAGE.parent
FOLDER = PACKAGE / "locale" / CHINESE / "LC_MESSAGES"
COURSE = ROOT / "palm_course"
FILES = sorted([*PACKAGE.rglob("*.py"), *COURSE.rglob("*.py")])
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def name_of(node):
    """The name or attribute that an expression ends with."""
    return getattr(node, "id", getattr(node, "attr", ""))


def family():
    """The names of CourseError and of all classes made from it."""
    classes = [node for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    found = {"CourseError"}
    while more := {c.name for c in classes if found & set(map(name_of, c.bases))} - found:
        found |= more
    return found


FAMILY = family()
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
# What `make messages` looks for: in which arguments of which calls; a Mistake's first one is its fault.
KEYWORDS = {
    name: tuple(map(int, arguments.split(","))) if arguments else None
    for name, arguments in re.findall(r"-k (\w+)(?::([\d,]+))?", (ROOT / "Makefile").read_text(encoding="utf-8"))
}


@pytest.fixture(scope="module")
def catalogue():
    with open(FOLDER / "palm_utils.po", "rb") as file:
        return pofile.read_po(file, locale=CHINESE, domain="palm_utils")


@pytest.fixture(scope="module")
def messages():
    """The texts in the code: a string, or singular and plural."""
    packages = (PACKAGE, ROOT / "palm_course")
    found = {m for package in packages for _, _, m, _, _ in extract.extract_from_dir(package, keywords=KEYWORDS)}
    assert len(found) > 500
    return found


def parts(message):
    return (message,) if isinstance(message, str) else tuple(message)


def placeholders(text):
    """The names in {braces}, and those of argparse's %(…)s."""
    fields = [field for _, field, _, _ in string.Formatter().parse(text) if field is not None]
    return sorted(fields), sorted(re.findall(r"%\(\w+\)[sr]|%s", text))


def test_every_message_is_translated_and_nothing_else_is(catalogue, messages):
    translated = {message.id for message in catalogue if message.id}
    assert {m for m in messages if m not in translated} == set(), "`make messages`, then translate what is empty"
    assert translated - messages == set(), "`make messages` removes what the code no longer says"
    assert [message.id for message in catalogue if message.id and not all(parts(message.string))] == []
    assert [message.id for message in catalogue if message.fuzzy] == []


# errors ----------------------------------------------------------------------------------------------

# What maintainers run stays English.
ENGLISH = [*COURSE.glob("results/*.py"), COURSE / "rebuild.py"]


def own(scope):
    """Yield the nodes of a module or function without those of the functions in it."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, FUNCTION):
            yield from own(child)


def templates(tree):
    """Yield the calls that make an error or a Text, each with the texts that may be its template, None for an f-string.

    A template that stands in a variable is looked for in its function; what is put together elsewhere yields nothing.
    """
    for scope in (tree, *(node for node in ast.walk(tree) if isinstance(node, FUNCTION))):
        nodes = [*own(tree), *own(scope)]
        assigned = [node for node in nodes if isinstance(node, ast.Assign)]
        for call in own(scope):
            if isinstance(call, ast.Call) and name_of(call.func) in FAMILY | {"Text"} and call.args:
                first = name_of(call.args[0]) if isinstance(call.args[0], ast.Name) else None
                values = (
                    [node.value for node in assigned if name_of(node.targets[0]) == first] if first else call.args[:1]
                )
                yield from ((call, text) for value in values for text in texts(value))


def texts(value):
    if isinstance(value, ast.IfExp):
        yield from (*texts(value.body), *texts(value.orelse))
    elif isinstance(value, ast.JoinedStr):
        yield None
    elif isinstance(value, ast.Call) and name_of(value.func) == "mark":
        yield from texts(value.args[0])
    elif isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value


@pytest.mark.parametrize("path", sorted({*FILES} - {*ENGLISH}), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_an_error_says_is_translated(path, catalogue):
    chinese = {message.id: message.string for message in catalogue if isinstance(message.id, str)}
    said = [(call.lineno, text) for call, text in templates(TREES[path])]
    assert [(line, text) for line, text in said if re.search("[a-z] [a-z]", text or "") and not chinese.get(text)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_template_of_an_error_is_a_text_and_its_values_fill_it(path):
    for call, text in templates(TREES[path]):
        assert text is not None, f"line {call.lineno}: an f-string cannot be translated; pass template and values"
        names = {keyword.arg for keyword in call.keywords}
        if names and None not in names:
            assert set(placeholders(text)[0]) <= names, f"line {call.lineno}"


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.is_relative_to(PACKAGE)], ids=lambda path: str(path.relative_to(ROOT))
)
def test_what_a_student_did_wrong_is_no_bare_error_of_python(path):
    raised = [node.exc for node in ast.walk(TREES[path]) if isinstance(node, ast.Raise)]
    bare = [node for node in raised if isinstance(node, ast.Call) and name_of(node.func) in ("ValueError", "TypeError")]
    assert [node.lineno for node in bare] == [], "WrongArgument is translated, and a ValueError too"


# what is printed -------------------------------------------------------------------------------------

# What claims print is the same in both editions.
SPEAKING = sorted({path for path in FILES if path.is_relative_to(COURSE)} - {*ENGLISH, COURSE / "claims.py"})
ENGLISH_ARGUMENTS = {"text", "stub"}  # what the notebooks repeat
PYTHON = re.compile("from palm_utils import ")


def unmarked(tree):
    """Yield the sentences in a module's code that are on no way to a translation."""
    if isinstance(tree, ast.Expr) and isinstance(tree.value, ast.Constant):
        return  # a docstring
    if isinstance(tree, ast.Call) and name_of(tree.func) in KEYWORDS:
        return
    if isinstance(tree, ast.keyword) and tree.arg in ENGLISH_ARGUMENTS and isinstance(tree.value, ast.Constant):
        return
    text = tree.value if isinstance(tree, ast.Constant) and isinstance(tree.value, str) else ""
    if re.search("[a-z] [a-z]+ [a-z]", text) and not PYTHON.match(text):
        yield tree.lineno, text
    for child in ast.iter_child_nodes(tree):
        yield from unmarked(child)


@pytest.mark.parametrize("path", SPEAKING, ids=lambda path: str(path.relative_to(COURSE)))
def test_no_sentence_is_forgotten(path):
    assert list(unmarked(TREES[path])) == []


# the catalogue ---------------------------------------------------------------------------------------


def test_translations_have_the_placeholders_of_their_messages(catalogue):
    for message in catalogue:
        if message.id:
            wanted = placeholders(parts(message.id)[-1])
            for translation in parts(message.string):
                assert placeholders(translation) == wanted, translation


def test_format_specifications_stay(catalogue):
    """{count:,} and {seconds:.0f} are the same in both languages."""
    for message in catalogue:
        for translation in parts(message.string) if message.id else ():
            assert sorted(re.findall(r"\{\w+[!:][^{}]*\}", translation)) == sorted(
                re.findall(r"\{\w+[!:][^{}]*\}", parts(message.id)[-1])
            ), translation


def test_a_percent_sign_is_argparse_s(catalogue):
    # Babel would take any other for a placeholder, such as "70 % of": a value, then.
    for message in catalogue:
        if "python-format" in message.flags:
            assert placeholders(message.id)[1], message.id


def test_the_compiled_catalogue_is_that_of_the_source(catalogue):
    with open(FOLDER / "palm_utils.mo", "rb") as file:
        compiled = gettext.GNUTranslations(file)._catalog
    compiled.pop("")
    singular = {m.id if not m.pluralizable else (m.id[0], 0): parts(m.string)[0] for m in catalogue if m.id}
    assert compiled == singular, "`make messages` compiles it"


def test_code_and_names_in_a_message_stay(catalogue):
    """What stands in `backticks`, and what a student could type, is the same in both languages."""
    for message in catalogue:
        if not message.id:
            continue
        english, chinese = parts(message.id)[-1], parts(message.string)[0]
        for name in re.findall(r"`[^`]+`|--[a-z-]+|PALM_[A-Z]+|\b\w+\.\w+\([^)]*\)", english):
            # Words in capitals stand for something of the student's: they are Chinese in Chinese.
            if not re.search(r"CHAPTER|FOLDER", name):
                assert name in chinese, (name, chinese)


def test_chinese_is_chinese_down_to_its_punctuation(catalogue):
    code = r"`[^`]*`|\{[^}]*\}|%\(\w+\)s|%s|\([^)]*\)|\[[^]]*\]"
    for message in catalogue:
        for text in parts(message.string) if message.id else ():
            plain = re.sub(code, "\0", text)
            assert not re.search(r"[\u4e00-\u9fff][,.:;?!]|[,;?!][\u4e00-\u9fff]", plain), text
            assert not re.search(r"[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9][\u4e00-\u9fff]", plain), text
            assert "您" not in text and "  " not in text.replace("\n  ", "\n").strip()


# the glossary ----------------------------------------------------------------------------------------


def glossary():
    rows = []
    for line in (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| ") and cells[0] != "English":
            rows.append(cells)
    return rows


def test_the_glossary_is_whole():
    rows = glossary()
    assert len(rows) >= 80
    assert all(len(row) == 4 and all(row) for row in rows), [row for row in rows if len(row) != 4 or not all(row)]
    for column in (0, 1):
        terms = [term for row in rows for term in re.split(r"[,、] ?", row[column])]
        assert sorted(terms) == sorted(set(terms))
    for english, chinese, meaning, meaning_zh in rows:
        assert meaning.endswith((".", ")")), english
        assert meaning_zh.endswith(("。", "）", "`。")), chinese


def test_messages_keep_to_the_glossary(catalogue):
    """Words that the last column gives as other translations are not used."""
    others = {
        word for row in glossary() if "又译：" in row[3] for word in row[3].split("又译：")[1].rstrip("。").split("、")
    }
    # Common words, or parts of longer ones that are meant.
    others -= {"轮", "周期", "标注", "迭代", "随机失活", "logit"}
    for message in catalogue:
        for text in parts(message.string) if message.id else ():
            used = [word for word in others if word in text]
            assert used == [], text


# notebooks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks" / "zh").glob("[0-9]*.ipynb")), ids=lambda path: path.stem)
def test_chinese_chapters_call_exercises_as_the_messages_do(path, monkeypatch):
    monkeypatch.setenv("PALM_LANG", "zh")
    markdown = [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "markdown"]
    headings = {line for source in markdown for line in source.splitlines() if line.startswith("### ")}
    for exercise in exercises.all_exercises():
        if int(exercise.number.split(".")[0]) == int(path.stem[:2]):
            assert f"### 练习 {exercise.number}：{language.tr(exercise.title)}" in headings
