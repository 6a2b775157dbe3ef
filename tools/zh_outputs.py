"""What the outputs of an English notebook are in the Chinese one: lines that the package prints are translated.

A line that is a text of the catalogue, or a template with its placeholders filled, becomes what a Chinese kernel
prints. What a chapter's own code prints stays as it is, so only texts of the modules that print into chapters count.
"""

import ast
import json
import re
from functools import cache
from pathlib import Path
from string import Formatter

from palm_utils import messages

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "notebooks"
_STUDENTS = ("datasets", "highlevel", "history", "layers", "machine", "metrics", "readers")
PRINTING = [f"palm_utils/{name}.py" for name in _STUDENTS]
PRINTING += [f"palm_course/results/{name}.py" for name in ("candidates", "comparison", "recipes", "stored")]
PRINTING += [f"palm_course/exercises/{name}.py" for name in ("open_exercise", "trial")]
PRINTING += ["palm_course/claims.py", "palm_course/getting/weights.py"]
# The placeholders whose values are translated as well; the others are names and numbers.
PARTS = {"bounds", "claim", "end", "first", "here", "images", "last", "machine", "numbers", "split", "spread"}
PARTS |= {"augment", "rate", "text", "there", "threads", "what"}


def translated(text: str) -> str:
    """Return the text of a stream, its lines translated where they are the package's."""
    return "\n".join(_part(line, letters=4) for line in text.split("\n"))


@cache
def claim_names() -> list[str]:
    """Return how the chapters call what they claim (palm_course.claims), from their stored outputs: messages, too."""
    books = (json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("[0-9]*.ipynb")))
    outputs = [output for book in books for cell in book["cells"] for output in cell.get("outputs", [])]
    lines = [line for output in outputs for line in "".join(output.get("text", [])).splitlines()]
    return list(dict.fromkeys(found[1] for line in lines if (found := re.match(r"(.+): \S+ \(stated: ", line))))


@cache
def _part(line: str, letters: int = 0) -> str:
    """Translate a line or, with letters=0, a part of one.

    letters: so many a template has beside its placeholders. In a part, all the parts of it have to be known.
    """
    if line in _catalogue():
        return _catalogue()[line]
    for chinese, pattern, count in _templates():
        if count >= letters and (found := pattern.fullmatch(line)):
            values = {key: _part(value) if key in PARTS else value for key, value in found.groupdict().items()}
            if letters or all(values[key] != value for key, value in found.groupdict().items() if key in PARTS):
                return "".join(text + (values[key] if key else "") for text, key, _ in _pieces(chinese))
    label = re.match(r"\w+: +", line)  # print("tutorial:", recipe)
    return label[0] + _part(line[label.end() :], letters) if letters and label else line


@cache
def _catalogue() -> dict[str, str]:
    """Return the translations of the texts that stand in the modules that print."""
    trees = [ast.parse((ROOT / path).read_text(encoding="utf-8")) for path in PRINTING]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    texts = [getattr(call.args[0], "value", None) for call in calls if isinstance(call.func, ast.Name)]
    texts += claim_names()
    known = messages._catalogue(messages.CHINESE, messages._FOLDER)
    pairs = {text: known.gettext(text) for text in texts if isinstance(text, str) and text}
    return {english: chinese for english, chinese in pairs.items() if chinese != english}


@cache
def _templates() -> list[tuple[str, re.Pattern, int]]:
    """Return each template in Chinese, a pattern of the English one, and its letters; those with most text first."""
    found = []
    for english, chinese in _catalogue().items():
        own, pattern, seen = "", "", set()
        for text, key, values in _pieces(english):
            own, pattern = own + text, pattern + re.escape(text)
            if key:
                pattern += f"(?P={key})" if key in seen else f"(?P<{key}>{values})"
                seen.add(key)
        if seen:
            found.append((len(own), chinese, re.compile(pattern), sum(map(str.isalpha, own))))
    return [rest for _, *rest in sorted(found, key=lambda it: -it[0])]


def _pieces(template: str) -> list[tuple[str, str, str]]:
    """Return the texts of a template, each with the key of the placeholder behind it and the pattern of its values."""
    found = []
    for text, name, how, conversion in Formatter().parse(template):
        values = rf".{{{how},}}" if how and how.isdigit() else ".*" if name == "end" else ".+"
        if how and how.endswith("f"):
            values = rf" *-?(?:\d+\.\d{{{how[-2]}}}|inf)| *nan"
        elif how and how.endswith((",", "g")):
            values = r" *-?[\d,.e+-]+"
        elif name and name.startswith("gap"):
            values = " *"
        elif name == "shape":
            values = r"\[.{19,}"  # a line of a chapter's own may begin with "input", too
        found.append((text, re.sub(r"\W", "_", (name or "") + (conversion or "")), values))
    return found
