"""Which language counts, what is said where a translation is missing or damaged, and the errors."""

import pickle
from unittest.mock import Mock

import nbclient
import nbformat
import pytest

from palm_course.command import main
from palm_utils import messages as language
from palm_utils.messages import CHINESE, ENGLISH, CourseError, DataError, DataNotFound, Text, WrongArgument, tr, trn

SAID = "尚未作答。"  # of "not attempted yet."


@pytest.fixture
def locale(monkeypatch):
    """Set the variables that count, the others being unset; not on Windows, say."""

    def set_to(**values):
        for name in ("PALM_LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
            monkeypatch.delenv(name, raising=False)
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    monkeypatch.setattr(language, "_system_locale", lambda: "")
    return set_to


IN_CHINESE = (
    *(
        "LANG=zh_CN.UTF-8",
        "LANG=zh_TW.UTF-8",
        "LANG=en_GB.UTF-8, LC_MESSAGES=zh_CN",
        "LC_MESSAGES=C, LC_ALL=zh_CN.UTF-8",
    ),
    *("LC_ALL=, LANG=zh_CN.UTF-8", "LANG=de_DE.UTF-8, LANGUAGE=fr:zh_CN", "LANG=zh_CN.UTF-8, LANGUAGE=fr"),
    *("PALM_LANG=zh, LC_ALL=C", "PALM_LANG=zh-Hans", "PALM_LANG= , LC_ALL=zh_CN.UTF-8"),
)
IN_ENGLISH = (
    *("", "LANG=de_DE.UTF-8", "LANG=C", "LANG=zh_CN.UTF-8, LC_MESSAGES=en_GB.UTF-8", "LANG=C.UTF-8, LANGUAGE=zh_CN"),
    *("LANG=zh_CN.UTF-8, LANGUAGE=en:zh_CN", "PALM_LANG=en, LC_ALL=zh_CN.UTF-8", "PALM_LANG=de, LC_ALL=zh_CN.UTF-8"),
)


@pytest.mark.parametrize("variables", [*IN_CHINESE, *IN_ENGLISH])
def test_the_locale_decides_outside_of_notebooks(variables, locale):
    locale(**dict(variable.lstrip().split("=") for variable in variables.split(",") if variable))
    expected = CHINESE if variables in IN_CHINESE else ENGLISH
    assert language.current() == expected
    assert tr("not attempted yet.") == (SAID if expected == CHINESE else "not attempted yet.")


def test_windows_is_asked_where_no_variable_is_set(locale, monkeypatch):
    monkeypatch.setattr(language, "_system_locale", lambda: CHINESE)
    locale()
    assert language.current() == CHINESE
    locale(LANG="en_US.UTF-8")  # a shell of Git for Windows sets it
    assert language.current() == ENGLISH


@pytest.mark.parametrize(
    ("expected", "folders"),
    [
        (CHINESE, ["/course/notebooks/zh", "/course/notebooks/zh/solutions", "/home/zh/course/notebooks/zh"]),
        (ENGLISH, ["/course/notebooks", "/course/Notebooks/solutions", "/zh/notebooks", "/home/zh/course/notebooks"]),
        ("the locale's", ["/course", "/content", "/course/notebooks/zhang", "/home/zh", "/zh/solutions/mine"]),
    ],
)
def test_the_folder_tells_a_notebook_s_edition_and_else_the_locale(expected, folders, monkeypatch):
    monkeypatch.setenv("HOME", "/home/zh")
    monkeypatch.setenv("USERPROFILE", "/home/zh")
    monkeypatch.setattr(language, "of_locale", lambda: "the locale's")
    assert {folder: language.of_folder(folder) for folder in folders} == dict.fromkeys(folders, expected)


SHOW = "from palm_utils import messages as language\nlanguage.current()"


def said_in_a_kernel(folder, *cells):
    """Run cells in the kernel of a notebook in this folder; return what each gives, as text."""
    folder.mkdir(parents=True)
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = nbclient.NotebookClient(book, timeout=120, kernel_name="python3", resources={"metadata": {"path": folder}})
    client.execute()
    return [cell.outputs[0].data["text/plain"] if cell.outputs else None for cell in book.cells]


def test_in_the_kernel_of_a_chinese_notebook(tmp_path, locale):
    locale(LC_ALL="C.UTF-8")
    said = said_in_a_kernel(
        tmp_path / "notebooks" / "zh",
        "import os\nos.chdir('..')",  # before the course is imported
        SHOW,
        "from palm_utils import exercises\nexercises.examine('1.1', len).message.split('：')[0]",
        "os.environ['PALM_LANG'] = 'en'",
        SHOW,
    )
    assert said == [None, "'zh_CN'", "'✗ 练习 1.1 还不对'", None, "'en'"]


def test_in_the_kernel_of_an_english_notebook(tmp_path, locale, monkeypatch):
    locale(LC_ALL="zh_CN.UTF-8")
    # As where a Chinese notebook runs `!make run CH=01`.
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "zh" / "01_lenet_mnist.ipynb"))
    said = said_in_a_kernel(
        tmp_path / "notebooks",
        SHOW,
        "import subprocess, sys\n"
        "code = 'from palm_utils import messages as language; print(language.current())'\n"
        "subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout.strip()",
        "__vsc_ipynb_file__ = '/course/notebooks/zh/01_lenet_mnist.ipynb'",  # as VS Code does
        SHOW,
    )
    assert said == ["'en'", "'zh_CN'", None, "'zh_CN'"]


@pytest.fixture
def chinese(monkeypatch):
    monkeypatch.setenv("PALM_LANG", "zh")


@pytest.mark.usefixtures("chinese")
def test_values_are_filled_in_and_not_read_as_templates():
    assert tr("leave out the brackets after {name}.", name="{f}") == "去掉 {f} 后面的括号。"
    assert tr("{count:,} trainable parameters", count=61706) == "61,706 个可训练参数"
    assert trn("it should return one number.", "it should return {count} numbers.", 1) == "应当返回 1 个数。"
    assert trn("it should return one number.", "it should return {count} numbers.", 2) == "应当返回 2 个数。"
    assert tr("") == "" and tr("nobody has translated {this}", this="me") == "nobody has translated me"


def test_english_has_its_plural():
    texts = ("{count} batch norm of {size}", "{count} batch norms of {size}")
    assert trn(*texts, 1, size=3) == "1 batch norm of 3"
    assert [trn(*texts, count, size=3) for count in (0, 2)] == ["0 batch norms of 3", "2 batch norms of 3"]


@pytest.mark.usefixtures("chinese")
def test_a_translation_of_another_version_gives_way_to_english(monkeypatch):
    for stale in ("{gone}", "{0}", "{", "{name.real}", "{name:d}"):
        monkeypatch.setattr(language, "_catalogue", lambda *_, stale=stale: Mock(gettext=lambda text: stale))
        assert tr("leave out the brackets after {name}.", name="f") == "leave out the brackets after f."


def damaged(content):
    """Catalogues that are empty, cut off, overwritten or in the middle of a merge; None for none."""
    cut = [content[:size] for size in (0, 4, 200, len(content) // 2)]
    return [None, *cut, content[:28] + b"\xff" * (len(content) - 28), b"<<<<<<< HEAD\n"]


@pytest.mark.usefixtures("chinese")
def test_a_missing_or_damaged_catalogue_is_no_reason_to_stop(tmp_path, monkeypatch, capsys):
    good = (language._FOLDER / CHINESE / "LC_MESSAGES" / "palm_utils.mo").read_bytes()
    for number, content in enumerate(damaged(good)):
        monkeypatch.setattr(language, "_FOLDER", tmp_path / str(number))
        if content is not None:
            (folder := tmp_path / str(number) / CHINESE / "LC_MESSAGES").mkdir(parents=True)
            (folder / "palm_utils.mo").write_bytes(content)
        assert tr("not attempted yet.") == "not attempted yet.", number
        assert trn("{count} cell", "{count} cells", 2) == "2 cells"
        with pytest.raises(SystemExit):
            main(["--help"])
        assert capsys.readouterr().out.startswith("usage: "), number


FAMILY = [CourseError, DataError, DataNotFound, language.DownloadError, WrongArgument]


@pytest.mark.usefixtures("chinese")
@pytest.mark.parametrize("kind", FAMILY)
def test_an_error_is_translated_when_it_is_shown(kind, monkeypatch):
    error = kind("leave out the brackets after {name}.", name="{f}")
    assert str(error) == "去掉 {f} 后面的括号。" and repr(error) == f"{kind.__name__}('去掉 {{f}} 后面的括号。')"
    monkeypatch.setenv("PALM_LANG", "en")
    assert str(error) == "leave out the brackets after {f}."


@pytest.mark.usefixtures("chinese")
def test_a_reason_is_translated_within_its_message():
    for reason in (Text("leave out the brackets after {name}.", name="f"), DataError("not attempted yet.")):
        said = str(CourseError("nobody has translated {this}", this=reason))
        assert said in ("nobody has translated 去掉 f 后面的括号。", f"nobody has translated {SAID}")


def test_names_of_values_are_free_and_a_text_without_values_stays_as_it_is():
    names = {"self": 1, "template": 2, "english": 3, "singular": 4}
    text = "{self} {template} {english} {singular}"
    assert str(CourseError(text, **names)) == tr(text, **names) == str(Text(text, **names)) == "1 2 3 4"
    assert str(CourseError("a set {1, 2} and a {")) == "a set {1, 2} and a {" and str(CourseError()) == ""


@pytest.mark.parametrize("kind", FAMILY)
def test_an_error_reaches_another_process_with_its_values(kind):
    error = kind("leave out the brackets after {name}.", name=Text("{this} and {that}", this="f", that=DataError("g")))
    arrived = pickle.loads(pickle.dumps(error))
    assert type(arrived) is kind and str(arrived) == str(error) == "leave out the brackets after f and g."
    assert arrived.args == error.args and set(arrived.values) == {"name"}


def test_what_python_expects_to_catch_is_caught():
    assert issubclass(WrongArgument, ValueError) and issubclass(DataNotFound, (DataError, FileNotFoundError))
    assert issubclass(DataError, ValueError) and issubclass(language.DownloadError, OSError)
