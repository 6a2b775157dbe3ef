"""Errors and messages for students, in English or Simplified Chinese.

The code holds the English texts. `tr` returns a text in the current language. `mark` marks a text for a later `tr`. A
`CourseError(text, **values)` is translated when it is shown. The translations are in locale/ (`make messages`); where
one is missing or damaged, the English text is shown.

The environment variable PALM_LANG (en or zh) sets the language. Without it, a notebook in notebooks or zh, or in their
folders solutions, has the language of its edition. All else, such as the command line and a kernel that was started in
another folder, has that of the locale (LANGUAGE, LC_ALL, LC_MESSAGES, LANG).

Both editions run the same code. What the package prints is translated, and so are the words of diagrams where the
machine has a font for them (palm_course.words). train_pm's lines, curves, chapter 7's recipes, and what the code
of a chapter prints stay English. tools/zh_outputs.py translates the outputs that are stored in English notebooks.
"""

from __future__ import annotations  # `python -m palm_utils doctor` runs on any Python

import gettext
import os
import sys
from functools import lru_cache
from pathlib import Path

ENGLISH, CHINESE = "en", "zh_CN"
VARIABLE = "PALM_LANG"
_FOLDER = Path(__file__).with_name("locale")


def current() -> str:
    """Return the current language: ENGLISH or CHINESE."""
    if asked := os.environ.get(VARIABLE, "").strip():
        return _known(asked) or ENGLISH
    folder = _notebook_folder()
    return of_locale() if folder is None else of_folder(folder)


def tr(english: str, /, **values: object) -> str:
    """Return a text in the current language, its {placeholders} filled with `values`."""
    # gettext would return the catalogue's header for an empty text.
    return _filled(_catalogue(current(), _FOLDER).gettext(english), english, values) if english else ""


def trn(singular: str, plural: str, count: int, /, **values: object) -> str:
    """Return the text for `count` things in the current language; {count} is one of the placeholders."""
    values["count"] = count
    translated = _catalogue(current(), _FOLDER).ngettext(singular, plural, count)
    return _filled(translated, singular if count == 1 else plural, values)


def mark(text: str) -> str:
    """Return `text` unchanged. `make messages` finds it by this call and adds it to the catalogue, for a later `tr`."""
    return text


def of_folder(folder: str | Path) -> str:
    """Return the language of the notebooks in a folder: that of its edition, or else of the locale."""
    folder, known = Path(folder), {"notebooks": ENGLISH, "zh": CHINESE}
    edition = folder.parent if folder.name == "solutions" else folder
    home = os.path.expanduser("~")  # noqa: PTH111 - a user may be called zh; Path.home() raises where there is no home
    return of_locale() if str(edition) == home else known.get(edition.name.lower()) or of_locale()


def of_locale() -> str:
    """Return the language that the locale of this process asks for."""
    name = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), None) or _system_locale()
    if name.split(".")[0] in ("", "C", "POSIX"):
        return ENGLISH  # as in gettext, LANGUAGE has no effect here
    wishes = [*os.environ.get("LANGUAGE", "").split(":"), name]
    return next(filter(None, map(_known, wishes)), ENGLISH)


class CourseError(Exception):
    """Base class of the course's errors: they tell the student what is wrong, where, and what to do.

    template: the English text with {placeholders}. `values` fill them when the error is shown; without values the text
    stays as it is. A value may be an error or a `Text`, which is translated too.
    """

    def __init__(self, template: str = "", /, **values: object):
        super().__init__(template)
        self.values = values

    def __str__(self) -> str:
        return tr(str(self.args[0]), **self.values) if self.args else ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class DataError(CourseError, ValueError):
    """A data set, label table, photograph or archive is incomplete or damaged."""


class DataNotFound(DataError, FileNotFoundError):
    """A file or folder is not where it should be."""


class DownloadError(CourseError, OSError):
    """A download failed; the message names the address, the file and what to do by hand."""


class WrongArgument(CourseError, ValueError):
    """A function of the course got a value that it cannot use."""


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
    except Exception:  # English has no catalogue; a missing or damaged one must not stop the program
        return gettext.NullTranslations()


def _known(name: str) -> str | None:
    """Return CHINESE for a locale such as zh_CN.UTF-8 or zh-Hans, ENGLISH for en_US, and None for any other."""
    return {"zh": CHINESE, "en": ENGLISH}.get(name.strip().lower()[:2])


def _notebook_folder() -> str | Path | None:
    """Return the folder of the notebook that this process runs, or None outside a notebook."""
    interactive = sys.modules.get("IPython")  # every kernel has imported it
    shell = interactive.get_ipython() if interactive is not None else None
    if getattr(shell, "kernel", None) is None:
        return None
    file = shell.user_ns.get("__vsc_ipynb_file__")  # VS Code may start a kernel in another folder
    # All others start it in the notebook's folder. %cd may have changed the current folder since.
    return Path(file).parent if file else shell.starting_dir


def _system_locale() -> str:
    """Return the display language of Windows, which sets no variables; "" on other systems."""
    if sys.platform != "win32":
        return ""
    import ctypes

    # The low ten bits are the language; 4 is Chinese.
    return CHINESE if ctypes.windll.kernel32.GetUserDefaultUILanguage() & 0x3FF == 4 else ENGLISH
