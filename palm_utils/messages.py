"""Errors and messages for students, in English or Simplified Chinese.

Code holds the English text. `CourseError(text, **values)` and its family are translated when they are shown; `tr`
gives a text in the language that counts now; `mark` marks one for a later `tr`. The translations lie in locale/
(`make messages`); where one is missing or damaged, the English text is shown.

The environment variable PALM_LANG (en or zh) says which language counts. Where it is not set, it is in a notebook the
language of its edition, Chinese in a folder zh (or zh/solutions), and on the command line that of the locale: LANGUAGE,
LC_ALL, LC_MESSAGES, LANG.

Both editions run the same code and their outputs are compared. So in a notebook errors, the verdicts and hints of
exercises, and progress are translated, and nothing else that is printed: tables, results, claims, train_pm's lines,
the names of data sets, texts in figures, and the few errors that a chapter raises on purpose, to show them.
"""

from __future__ import annotations  # the doctor has to run on any Python

import copyreg
import gettext
import os
import sys
import unicodedata
from functools import lru_cache
from pathlib import Path

ENGLISH, CHINESE = "en", "zh_CN"
VARIABLE = "PALM_LANG"
_FOLDER = Path(__file__).with_name("locale")


def current() -> str:
    """Return the language that counts now: ENGLISH or CHINESE."""
    if asked := os.environ.get(VARIABLE, "").strip():
        return _known(asked) or ENGLISH
    folder = _notebook_folder()
    return of_locale() if folder is None else of_folder(folder)


def tr(english: str, /, **values: object) -> str:
    """Return a text in the language that counts, its {placeholders} filled with `values`."""
    # The catalogue's own header stands under the empty text.
    return _filled(_catalogue(current(), _FOLDER).gettext(english), english, values) if english else ""


def trn(singular: str, plural: str, count: int, /, **values: object) -> str:
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
    home = os.path.expanduser("~")  # noqa: PTH111 - of a user called zh; Path.home() raises where there is none
    return CHINESE if edition.name.lower() == "zh" and str(edition) != home else ENGLISH


def of_locale() -> str:
    """Return the language that the locale of this process asks for."""
    name = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), None) or _system_locale()
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

    template: the English text with {placeholders}, which `values` fill when it is shown; without values it stays as
    it is. A value may be an error or a `Text`, which is translated with it.
    """

    def __init__(self, template: str = "", /, **values: object):
        super().__init__(template)
        self.values = values

    def __str__(self) -> str:
        return tr(str(self.args[0]), **self.values) if self.args else ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self):
        # For another process: a subclass may ask for more arguments than Python would give it there.
        return copyreg.__newobj__, (type(self),), {**vars(self), "args": self.args}


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


def _filled(translated: str, english: str, values: dict[str, object]) -> str:
    try:
        return translated.format(**values) if values else translated
    except (LookupError, ValueError, TypeError, AttributeError):  # a catalogue of another version
        return english.format(**values)


@lru_cache
def _catalogue(language: str, folder: Path) -> gettext.NullTranslations:
    try:
        return gettext.translation("palm_utils", str(folder), [language])
    except Exception:  # there is none for English; a missing or damaged one is no reason to stop
        return gettext.NullTranslations()


def _known(name: str) -> str | None:
    """Return the language of a locale's name (zh_CN.UTF-8, zh-Hans, en, C), or None for all others."""
    return {"zh": CHINESE, "en": ENGLISH}.get(name.strip().lower()[:2])


def _notebook_folder() -> str | Path | None:
    """Return the folder of the notebook that this process is the kernel of, or None where it is none."""
    interactive = sys.modules.get("IPython")  # a kernel has imported it
    shell = interactive.get_ipython() if interactive is not None else None
    if getattr(shell, "kernel", None) is None:
        return None
    file = shell.user_ns.get("__vsc_ipynb_file__")  # VS Code can start kernels elsewhere
    # Every front end starts a kernel in the notebook's folder; where it is now, %cd may have changed.
    return Path(file).parent if file else shell.starting_dir


def _system_locale() -> str:
    """Return what Windows is set to, which sets no variables; "" elsewhere, where no variable means C."""
    if sys.platform != "win32":
        return ""
    import ctypes

    # The low ten bits are the language; 4 is Chinese.
    return CHINESE if ctypes.windll.kernel32.GetUserDefaultUILanguage() & 0x3FF == 4 else ENGLISH
