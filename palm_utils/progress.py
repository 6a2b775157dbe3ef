"""`python -m palm_utils progress`: which exercises are done, read from the student's notebooks."""

import argparse
from pathlib import Path

from palm_utils import notebooks
from palm_utils.errors import CourseError
from palm_utils.exercises import judging
from palm_utils.exercises.answers import Answers, UnreadableNotebook, read
from palm_utils.exercises.model import Status
from palm_utils.exercises.overview import print_table


def add_parser(subparsers) -> None:
    parser = subparsers.add_parser(
        "progress",
        help="show which exercises are done",
        description="Show which exercises are done, judged anew from the notebooks as they were last saved.",
    )
    parser.add_argument("chapters", nargs="*", help="01, 02_ichallenge_pm, …; all of them by default")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a table for each chapter that has exercises."""
    judging.one_core_each()
    right = total = 0
    for path in [path for name in args.chapters or [""] for path in notebooks.find(name)]:
        try:
            answers = read(path)
        except UnreadableNotebook as error:
            print(f"\n{path.stem}: {error}; `python -m palm_utils reset {path.stem[:2]}` puts a fresh one in place")
            continue
        if not answers.numbers:
            if args.chapters:
                raise CourseError(f"{path.name} has no exercises")
            continue
        print(f"\n{path.stem}: ", end="", flush=True)
        results = judge(path, answers)
        print_table((result.number, result.verdict, result.message) for result in results)
        right += sum(result.verdict == Status.RIGHT.value for result in results)
        total += len(results)
    print(f"\n{right} of {total} exercises done, in the notebooks as they were last saved")
    return 0


def judge(path: Path, answers: Answers) -> list[judging.Result]:
    """Judge a chapter; a process is only started where there is something to run."""
    attempted = [n for n in answers.numbers if not answers.is_untouched(n) and not answers.is_missing(n)]
    found = {result.number: result for result in judging.judge(path, attempted)} if attempted else {}
    return [found.get(n) or judging.Result(n, *judging.judge_one(answers, n)) for n in answers.numbers]
