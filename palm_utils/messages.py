"""Errors and messages for students, in English or Simplified Chinese.

Code holds the English text. `CourseError(text, **values)` and its family are translated when they are shown; `tr`
gives a text in the language that counts now; `mark` marks one for a later `tr`. The translations lie in locale/,
`make messages` brings them up to date; where one is missing or damaged, the English text is shown.

Which language counts:

1. the environment variable PALM_LANG, where it is set: en or zh;
2. in a notebook, the edition that it belongs to: Chinese in a folder zh (or zh/solutions), else English;
3. elsewhere, that is on the command line, the locale: LANGUAGE, LC_ALL, LC_MESSAGES, LANG.

Both editions run the same code and their outputs are compared. So in a notebook the verdicts and hints of
exercises, progress, and errors are translated, and nothing else that is printed is: tables, results,
claims, train_pm's lines, the names of data sets, texts in figures, and the few errors that a chapter
raises on purpose, to show them.
"""

from __future__ import annotations  # the doctor has to run on any Python

import gettext
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

ENGLISH, CHINESE = "en", "zh_CN"
VARIABLE = "PALM_LANG"
_DOMAIN = "palm_utils"
_FOLDER = Path(__file__).with_name("locale")


def current() -> str:
    """Return the language that counts now: ENGLISH or CHINESE."""
    asked = os.environ.get(VARIABLE, "").strip()
    if asked:
        return _known(asked) or ENGLISH
    folder = _notebook_folder()
    return of_locale() if folder is None else of_folder(folder)


def tr(english: str, **values: object) -> str:
    """Return a text in the language that counts, its {placeholders} filled with `values`."""
    return _filled(_translated(english), english, values)


def trn(singular: str, plural: str, count: int, **values: object) -> str:
    """Return the text for `count` things in the language that counts; {count} is among the placeholders."""
    values["count"] = count
    translated = _catalogue(current(), _FOLDER).ngettext(singular, plural, count)
    return _filled(translated, singular if count == 1 else plural, values)


def mark(text: str) -> str:
    """Return `text` as it is; `make messages` takes it into the catalogue, for a later `tr`."""
    return text


def of_folder(folder: str | Path) -> str:
    """Return the language of the notebooks in a folder: Chinese in zh and zh/solutions, else English."""
    folder = Path(folder)
    edition = folder.parent if folder.name == "solutions" else folder
    # A user of that name has a home folder of that name, and not only Chinese notebooks in it.
    return CHINESE if edition.name.lower() == "zh" and edition != _home() else ENGLISH


def of_locale() -> str:
    """Return the language that the locale of this process asks for."""
    variables = (os.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    name = next(filter(None, variables), None) or _system_locale()
    if name.split(".")[0] in ("", "C", "POSIX"):
        return ENGLISH  # whatever LANGUAGE says, as everywhere
    wishes = [*os.environ.get("LANGUAGE", "").split(":"), name]
    return next(filter(None, map(_known, wishes)), ENGLISH)


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes; a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def pad(text: str, columns: int) -> str:
    """Return `text` filled up with spaces to `columns` of a terminal."""
    return text + " " * (columns - width(text))


class CourseError(Exception):
    """Base of the errors that the course raises: what is wrong, where, and what to do, written for the student.

    template: the English text with {placeholders}, which `values` fill. Shown, it is in the language that counts
    then. A value may be an error or a `Text`, which is translated with it.
    """

    def __init__(self, template: str = "", /, **values: object):
        super().__init__(template)
        self.values = values

    def __str__(self) -> str:
        return tr(str(self.args[0]), **self.values) if self.args else ""


class DataError(CourseError, ValueError):
    """A data set, label table, photograph or archive is missing something or damaged."""


class DataNotFound(DataError, FileNotFoundError):
    """A file or folder of a data set is not where it was said to be."""


class DownloadError(CourseError, OSError):
    """A download failed; the message names the address, the file and what to do by hand."""


class WrongArgument(CourseError, ValueError):
    """A function of the course was given a value that it can do nothing with."""


class Text:
    """A text with {placeholders} that is translated when it is shown: a reason in another message, for instance."""

    def __init__(self, template: str, /, **values: object):
        self.template, self.values = template, values

    def __str__(self) -> str:
        return tr(self.template, **self.values)


@contextmanager
def argparse_too() -> Iterator[None]:
    """Let argparse translate what it says itself; it asks Python's gettext, which asks the environment."""
    language = current()
    if not isinstance(_catalogue(language, _FOLDER), gettext.GNUTranslations):
        yield  # nothing to translate with
        return
    domain, asked = gettext.textdomain(), os.environ.get("LANGUAGE")
    try:
        gettext.bindtextdomain(_DOMAIN, str(_FOLDER))
        gettext.textdomain(_DOMAIN)
        os.environ["LANGUAGE"] = language
        yield
    finally:
        gettext.textdomain(domain)
        if asked is None:
            del os.environ["LANGUAGE"]
        else:
            os.environ["LANGUAGE"] = asked


def _translated(text: str) -> str:
    # The catalogue's own header stands under the empty text.
    return _catalogue(current(), _FOLDER).gettext(text) if text else text


def _filled(translated: str, english: str, values: dict[str, object]) -> str:
    if not values:
        return translated
    try:
        return translated.format(**values)
    except (LookupError, ValueError, TypeError, AttributeError):  # a catalogue of another version
        return english.format(**values)


@lru_cache
def _catalogue(language: str, folder: Path) -> gettext.NullTranslations:
    if language == ENGLISH:
        return gettext.NullTranslations()
    try:
        return gettext.translation(_DOMAIN, str(folder), [language])
    except Exception:  # missing or damaged in any way: no reason to stop
        return gettext.NullTranslations()


def _known(name: str) -> str | None:
    """Return the language of a locale's name (zh_CN.UTF-8, zh-Hans, en, C), or None for all others."""
    start = name.strip().lower()[:2]
    return {"zh": CHINESE, "en": ENGLISH}.get(start)


def _notebook_folder() -> str | Path | None:
    """Return the folder of the notebook that this process is the kernel of, or None where it is none."""
    interactive = sys.modules.get("IPython")  # a kernel has imported it
    shell = interactive.get_ipython() if interactive is not None else None
    if getattr(shell, "kernel", None) is None:
        return None
    file = shell.user_ns.get("__vsc_ipynb_file__")  # VS Code can start kernels elsewhere
    # Every front end starts a kernel in the notebook's folder; where it is now, %cd may have changed.
    return Path(file).parent if file else shell.starting_dir


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:
        return None


def _system_locale() -> str:
    """Return what Windows is set to, which sets no variables; "" elsewhere, where no variable means C."""
    if sys.platform != "win32":
        return ""
    import ctypes

    # The low ten bits are the language; 4 is Chinese.
    return CHINESE if ctypes.windll.kernel32.GetUserDefaultUILanguage() & 0x3FF == 4 else ENGLISH
