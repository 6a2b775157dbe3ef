"""The table, benchmarks/results.json, and benchmarks/README.md, which is made from it."""

import json
from collections.abc import Iterable
from pathlib import Path

from benchmarks import machine
from benchmarks.measures import Measure, Row
from palm_utils.files import replacing
from palm_utils.messages import DataError

FOLDER = Path(__file__).resolve().parent
RESULTS, README = "results.json", "README.md"
# Of the cores, in per cent: with more of them in other use figures mean little.
BUSY = 10
_HEADER = ("what", "against", "must reach", "measured", "")
_VERDICTS = {True: "reached", False: "NOT REACHED", None: "reported only"}

_TOP = """\
# Benchmarks

How fast the course is, side by side with other ways of doing the same.

<!-- Made by `make bench` from results.json and notes/. Do not edit. -->
"""
_COMMANDS = """\
```
make bench                          # every row, about 70 minutes on two cores that do nothing else
make bench ROWS="reader steps"      # some of them; the others keep their figures
make bench QUICK=1                  # does everything run? The figures mean nothing, and are kept apart in build/
```

The command installs PyTorch into an environment of its own, prints the table, and writes `results.json` (with every \
single measurement) and this page. What is compared takes turns, round by round; ratios are those of the medians, and \
the range in brackets is that of single rounds. Everything is measured on the CPU.
"""


def outcome(row: Row, measures: list[Measure] | None, about: dict, error: str | None = None) -> dict:
    """Return what is stored of a row: its measures, or why there are none."""
    found = {"what": row.what, "against": row.against, "about": about}
    if error is not None:
        return {**found, "error": error, "measures": []}
    return {**found, "measures": [measure.to_dict() for measure in measures]}


Outcomes = dict[str, dict[str, dict]]  # by processor, then by row


def load(folder: Path) -> Outcomes:
    """Return the stored outcomes; raises DataError for a damaged file."""
    path = folder / RESULTS
    try:
        processors = json.loads(path.read_text(encoding="utf-8"))["processors"]
        for stored in (stored for rows in processors.values() for stored in rows.values()):
            _measures(stored)
        return processors
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not results of benchmarks ({error!r}). Remove it and measure again.") from error


def store(folder: Path, rows: Iterable[Row], outcomes: Outcomes) -> None:
    """Write results.json and README.md, in the rows' order."""
    rows = list(rows)
    kept = {
        processor: {row.name: of_row[row.name] for row in rows if row.name in of_row}
        for processor, of_row in outcomes.items()
    }
    with replacing(folder / RESULTS) as path:
        path.write_text(json.dumps({"processors": kept}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    with replacing(folder / README) as path:
        path.write_text(readme(rows, kept), encoding="utf-8", newline="\n")


def table(rows: Iterable[Row], outcomes: dict[str, dict]) -> list[tuple[str, ...]]:
    """Return the table's lines: what, against, must reach, measured, verdict; one for each measure."""
    lines = []
    for row in rows:
        stored = outcomes.get(row.name)
        if stored is None or not stored["measures"]:
            verdict = "not measured" if stored is None else f"FAILED: {_first_line(stored['error'])}"
            lines.append((f"`{row.name}`: {row.what}", row.against, row.must, "", verdict))
            continue
        title = f"`{row.name}`: {row.what}"
        for measure in _measures(stored):
            what = f"{title}: {measure.what}" if measure.what else title
            lines.append((what, row.against, str(measure.bound or ""), str(measure), _VERDICTS[measure.met]))
    return lines


def as_text(lines: list[tuple[str, ...]]) -> str:
    """Return the table for a terminal."""
    lines = [_HEADER, *(tuple(cell.replace("`", "") for cell in line) for line in lines)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(_HEADER))]
    return "\n".join("  ".join(f"{c:{w}}" for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def readme(rows: list[Row], outcomes: Outcomes, notes: Path = FOLDER / "notes") -> str:
    """Return the page: what was missed, and for each row how it is measured, a table, and what limits it."""
    parts = [_TOP, _missed(rows, outcomes)]
    if any(stored["about"]["quick"] for of_row in outcomes.values() for stored in of_row.values()):
        parts.append("**Measured in a hurry (QUICK=1), to see that everything runs: the figures mean nothing.**\n")
    parts += ["## Measuring\n", _COMMANDS, "The processors:\n"]
    for of_row in outcomes.values():
        for about, names in _machines(of_row).items():
            parts.append(f"- {about} ({', '.join(f'`{name}`' for name in names)})")
    parts.append("")
    for row in rows:
        stored = {processor: of_row[row.name] for processor, of_row in outcomes.items() if row.name in of_row}
        against = f", against {row.against}" if row.against else ""
        parts += [f"## {row.name}\n", f"{row.what[0].upper()}{row.what[1:]}{against}. {row.how}\n"]
        parts += [_side_by_side(stored)] if stored else ["Not measured yet.\n"]
        for processor, of_processor in stored.items():
            parts += _told(processor, of_processor)
        note = notes / f"{row.name}.md"
        parts += [note.read_text(encoding="utf-8")] if note.is_file() else []
    return "\n".join(parts)


def _missed(rows: list[Row], outcomes: Outcomes) -> str:
    """Return which requirements are not reached, and where."""
    lines = []
    for processor, of_row in outcomes.items():
        told = []
        for row in (row for row in rows if row.name in of_row):
            measures = _measures(of_row[row.name])
            what = [measure.what for measure in measures if measure.met is False] if measures else ["failed"]
            if what:
                told.append(f"`{row.name}` ({'; '.join(what)})" if any(what) else f"`{row.name}`")
        lines.append(f"- {processor}: {', '.join(told) or 'nothing'}")
    return "\n".join(["What does not reach what is asked for:\n", *lines, ""])


def _side_by_side(stored: dict[str, dict]) -> str:
    """Return a row's table: a line for each figure, a column for each processor."""
    cells: dict[str, dict[str, str]] = {}
    for processor, of_processor in stored.items():
        for measure in _measures(of_processor):
            cells.setdefault(measure.what, {})[processor] = _described(measure)
    lines = [("", *stored), ("---",) * (1 + len(stored))]
    lines += [(what, *(told.get(processor, "") for processor in stored)) for what, told in cells.items()]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines) + "\n"


def _told(processor: str, stored: dict) -> list[str]:
    """Return when and how a row was measured on a processor, or its error."""
    about = stored["about"]
    facts = [f"{processor}: {about['when']}, `{about['command']}`, {about['seconds']:.0f} s"]
    facts += [f"{key} {value}" for key, value in about["rows"].items()]
    parts = ["; ".join(facts) + ".\n"]
    parts += [] if stored["measures"] else [f"Failed:\n\n```\n{stored['error']}\n```\n"]
    if about["busy"] > BUSY:
        parts.append(f"**The machine was busy: other work used {about['busy']:.0f} % of its cores.**\n")
    return parts


def _described(measure: Measure) -> str:
    bound = f"; must be {measure.bound}: {_VERDICTS[measure.met]}" if measure.bound else ""
    return f"{measure}{bound}" + (f"<br>{measure.detail}" if measure.detail else "")


def _machines(outcomes: dict[str, dict]) -> dict[str, list[str]]:
    """Return the rows measured on each machine, by its description."""
    found: dict[str, list[str]] = {}
    for name, stored in outcomes.items():
        found.setdefault(machine.line(stored["about"]["machine"]), []).append(name)
    return found


def _measures(stored: dict) -> list[Measure]:
    return [Measure.from_dict(measure) for measure in stored["measures"]]


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0]
