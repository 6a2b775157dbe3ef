"""`python -m benchmarks`: measure rows, print the table, write results.json and README.md. See `make bench`."""

import argparse
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from benchmarks import ROOT, machine, processes, reader, report, scaling, steps, suite, training
from benchmarks.bench import Bench
from benchmarks.measures import Row
from palm_utils.messages import CourseError

ROWS: dict[str, Row] = {
    row.name: row
    for row in (reader.LATER, reader.FIRST, training.ROW, processes.ROW, steps.ROW, scaling.ROW, suite.ROW)
}


def main(argv: list[str] | None = None) -> int:
    """Measure; return 1 when a row could not be measured, 0 also when one does not reach what it must."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure how fast the course is.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that everything runs, and nothing else")
    parser.add_argument("--rounds", type=int, help="of each comparison, instead of the rows' own numbers")
    parser.add_argument("--folder", type=Path, help="where to write (default: benchmarks/, build/benchmarks if quick)")
    args = parser.parse_args(argv)
    if unknown := [name for name in args.rows if name not in ROWS]:
        parser.error(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    if args.rounds is not None and args.rounds < 1:
        parser.error(f"--rounds is {args.rounds}; it must be at least 1")
    folder = args.folder or (ROOT / "build" / "benchmarks" if args.quick else report.FOLDER)
    try:
        stored = report.load(folder)
    except CourseError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    chosen = [ROWS[name] for name in args.rows or ROWS]
    outcomes = stored.setdefault(machine.describe()["processor"], {})
    for row in chosen:
        print(f"{row.name}: {row.what} …", flush=True)
        outcomes[row.name] = _measured(row, args.quick, args.rounds, _command(args))
        report.store(folder, ROWS.values(), stored)  # after each row: a later one may be interrupted
        _say(row, outcomes[row.name])
    print("\n" + report.as_text(report.table(chosen, outcomes)))
    print(f"\nEvery measurement: {folder / report.RESULTS}; the table with explanations: {folder / report.README}")
    return 1 if any("error" in outcomes[row.name] for row in chosen) else 0


def _command(args: argparse.Namespace) -> str:
    """Return the call of make that does the same."""
    words = [f'ROWS="{" ".join(args.rows)}"'] if args.rows else []
    words += [f"ROUNDS={args.rounds}"] if args.rounds else []
    return " ".join(["make bench", *words, *(["QUICK=1"] if args.quick else [])])


def _measured(row: Row, quick: bool, rounds: int | None, command: str) -> dict:
    """Return a row's outcome; an error becomes part of it, so that the other rows are measured all the same."""
    about = {"quick": quick, "command": command, "when": date.today().isoformat(), "machine": machine.describe()}
    about["busy"] = machine.busy(0.1 if quick else 2)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="palm-bench-", ignore_cleanup_errors=True) as folder:
        bench = Bench(Path(folder), quick, rounds)
        try:
            measures, error = row.measure(bench), None
        except (CourseError, OSError) as problem:
            measures, error = None, f"{type(problem).__name__}: {problem}"
    about |= {"seconds": time.perf_counter() - started, "rows": bench.about}
    return report.outcome(row, measures, about, error)


def _say(row: Row, outcome: dict) -> None:
    """Print a row's lines as soon as it is measured."""
    if outcome["about"]["busy"] > report.BUSY:
        print(f"  the machine is busy ({outcome['about']['busy']:.0f} % of its cores): these figures mean little")
    for line in report.table([row], {row.name: outcome}):
        print(f"  {'  '.join(cell for cell in line[2:] if cell)}")
    if "error" in outcome:
        print(outcome["error"])
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
