"""The catalogue of Chinese messages: whole, in step with the code, and in the terms of the glossary."""

import ast
import gettext
import re
import string
from pathlib import Path

import pytest
from editions import OTHER_WORDS, zh_outputs

import palm_utils
from palm_course import terminal
from palm_utils.messages import CHINESE

extract = pytest.importorskip("babel.messages.extract")
pofile = pytest.importorskip("babel.messages.pofile")

PACKAGE = Path(palm_utils.__file__).parent
ROOT = PACKAGE.parent
FOLDER = PACKAGE / "locale" / CHINESE / "LC_MESSAGES"
COURSE = ROOT / "palm_course"
FILES = sorted([*PACKAGE.rglob("*.py"), *COURSE.rglob("*.py")])
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def relative(path):
    return str(path.relative_to(ROOT))


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
# What `make messages` looks for: in which arguments of which calls; a Mistake's first one is its fault.
WORDS = re.findall(r'WORDS \+?= "([^"]*)"', (ROOT / "tools" / "messages.py").read_text(encoding="utf-8"))
KEYWORDS = {
    name: tuple(map(int, arguments.split(","))) if arguments else None
    for name, _, arguments in (word.partition(":") for word in " ".join(WORDS).split())
}


@pytest.fixture(scope="module")
def catalogue():
    """The catalogue: a dict from each message, (singular, plural) or a string, to its translation."""
    with open(FOLDER / "palm_utils.po", "rb") as file:
        messages = [message for message in pofile.read_po(file, locale=CHINESE, domain="palm_utils") if message.id]
    assert [message.id for message in messages if message.fuzzy] == []
    # Babel would take a percent sign for a placeholder, such as "70 % of": only argparse has them.
    assert [m.id for m in messages if "python-format" in m.flags and not placeholders(m.id)[1]] == []
    return {message.id: message.string if isinstance(message.id, str) else message.string[0] for message in messages}


def english(message):
    """Of a message with a plural, the plural: Chinese has but one form."""
    return message if isinstance(message, str) else message[1]


def test_every_message_is_translated_and_nothing_else_is(catalogue):
    found = {m for part in (PACKAGE, COURSE) for _, _, m, _, _ in extract.extract_from_dir(part, keywords=KEYWORDS)}
    assert len(found) > 500
    found |= set(zh_outputs.claim_names())
    assert found - set(catalogue) == set(), "`make messages`, then translate what is empty"
    assert set(catalogue) - found == set(), "`make messages` removes what the code no longer says"
    assert [message for message, translation in catalogue.items() if not translation] == []


def placeholders(text):
    """What stands in {braces}, with its format ({count:,}), and argparse's %(…)s."""
    fields = [field for field in string.Formatter().parse(text) if field[1] is not None]
    braces = sorted((name, form, how or "") for _, name, form, how in fields)
    return braces, sorted(re.findall(r"%\(\w+\)[sr]|%s", text))


# What maintainers run stays English.
ENGLISH = [*COURSE.glob("results/*.py"), COURSE / "rebuild.py"]


def own(scope):
    """Yield the nodes of a module or function without those of the functions in it."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from own(child)


def templates(tree):
    """Yield the calls that make an error or a Text, each with the texts that may be its template, None for an f-string.

    A template that stands in a variable is looked for in its function; what is put together elsewhere yields nothing.
    """
    for scope in (tree, *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))):
        assigned, made = [node for node in (*own(tree), *own(scope)) if isinstance(node, ast.Assign)], 0
        for call in own(scope):
            if isinstance(call, ast.Call) and name_of(call.func) in FAMILY | {"Text"} and call.args:
                values = call.args[:1]
                if isinstance(values[0], ast.Name):
                    named = [node for node in assigned if name_of(node.targets[0]) == values[0].id]
                    since = [node for node in named if made < node.lineno < call.lineno]  # it was last used
                    values = [node.value for node in since or named]
                made = call.lineno
                for node in (node for value in values for node in ast.walk(value)):
                    if isinstance(node, ast.JoinedStr):
                        yield call, None
                    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                        yield call, node.value


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_an_error_is_made_of_a_text_that_is_translated_and_values_that_fill_it(path, catalogue):
    for call, text in templates(TREES[path]):
        where = f"line {call.lineno}: {text}"
        assert text is not None, f"{where} - an f-string cannot be translated; pass template and values"
        assert path in ENGLISH or not re.search("[a-z] [a-z]", text) or text in catalogue, where
        names = {keyword.arg for keyword in call.keywords}
        if names and None not in names:
            assert {name for name, _, _ in placeholders(text)[0]} <= names, where
    for node in ast.walk(TREES[path]) if path.is_relative_to(PACKAGE) else ():
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            assert name_of(node.exc.func) not in ("ValueError", "TypeError"), f"line {node.lineno}: WrongArgument"


# What curves say is the same in both editions; what set-up says comes before anything is installed.
DRAWINGS = ("diagrams", "curves", "drawings", "eyes", "inception_drawings", "screening")
SAME = {COURSE / f"{name}.py" for name in (*DRAWINGS, "installed", "supported")}
SPEAKING = sorted({path for path in FILES if path.is_relative_to(COURSE)} - {*ENGLISH, *SAME})


def unmarked(tree):
    """Yield the sentences in a module's code that are on no way to a translation."""
    if isinstance(tree, ast.Expr) and isinstance(tree.value, ast.Constant):
        return  # a docstring
    if isinstance(tree, ast.Call) and name_of(tree.func) in KEYWORDS:
        return
    text = tree.value if isinstance(tree, ast.Constant) and isinstance(tree.value, str) else ""
    if re.search("[a-z] [a-z]+ [a-z]", text) and not text.startswith(("from palm_utils import ", "\nimport ")):
        yield tree.lineno, text
    for child in ast.iter_child_nodes(tree):
        yield from unmarked(child)


@pytest.mark.parametrize("path", SPEAKING, ids=relative)
def test_no_sentence_is_forgotten(path):
    assert list(unmarked(TREES[path])) == []


def test_translations_have_the_placeholders_of_their_messages(catalogue):
    for message, translation in catalogue.items():
        assert placeholders(translation) == placeholders(english(message)), translation


def test_the_compiled_catalogue_is_that_of_the_source(catalogue):
    with open(FOLDER / "palm_utils.mo", "rb") as file:
        compiled = gettext.GNUTranslations(file)._catalog
    compiled.pop("")
    expected = {(m if isinstance(m, str) else (m[0], 0)): translation for m, translation in catalogue.items()}
    assert compiled == expected, "`make messages` compiles it"


def test_code_and_names_in_a_message_stay(catalogue):
    """What stands in `backticks`, and what a student could type, is the same in both languages."""
    for message, chinese in catalogue.items():
        for name in re.findall(r"`[^`]+`|--[a-z-]+|PALM_[A-Z]+|\b\w+\.\w+\([^)]*\)", english(message)):
            # Words in capitals stand for something of the student's: they are Chinese in Chinese.
            assert re.search(r"CHAPTER|FOLDER", name) or name in chinese, (name, chinese)


def test_chinese_is_chinese_down_to_its_punctuation(catalogue):
    code = r"`[^`]*`|\{[^}]*\}|%\(\w+\)s|%s|\([^)]*\)|\[[^]]*\]"
    for message, text in catalogue.items():
        plain = re.sub(code, "\0", text)
        assert not re.search(r"[\u4e00-\u9fff][,.:;?!]|[,;?!][\u4e00-\u9fff]", plain), text
        assert not re.search(r"[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9][\u4e00-\u9fff]", plain), text
        assert "您" not in text and ("  " in message or "  " not in text.replace("\n  ", "\n").strip())


def test_columns_of_a_table_are_as_wide_as_in_english(catalogue):
    """The heads of tables are whole lines; their only placeholders are gaps."""
    heads = [message for message in catalogue if "  " in message and "\n" not in message and type(message) is str]
    heads = [head for head in heads if all(name.startswith("gap") for name, _, _ in placeholders(head)[0])]
    assert len(heads) >= 7
    assert [head for head in heads if terminal.width(head) != terminal.width(catalogue[head])] == []


def test_messages_keep_to_the_glossary(catalogue):
    """Words that the last column gives as other translations are not used."""
    assert [(word, text) for text in catalogue.values() for word in OTHER_WORDS if word in text] == []
