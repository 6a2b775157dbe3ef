"""`python -m palm_utils progress`: which exercises are done, read from the student's notebooks."""

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path

from palm_course import chapters
from palm_course.chapters import UnreadableNotebook
from palm_course.exercises.registry import print_table
from palm_course.exercises.trial import Status
from palm_course.students import judging
from palm_course.students.answers import Answers, read
from palm_utils import messages
from palm_utils.messages import CourseError, tr


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = tr("Show which exercises are done, judged anew from the notebooks as they were last saved.")
    parser.add_argument("chapters", nargs="*", help=tr("01, 02_ichallenge_pm, zh/03, …; all of them by default"))


def run(args: argparse.Namespace) -> int:
    judging.one_core_each()
    right = total = 0
    for path, is_own in [found for name in args.chapters or [""] for found in find(name)]:
        chapter = path.relative_to(chapters.FOLDER).with_suffix("").as_posix()
        try:
            answers = read(path)
        except UnreadableNotebook as error:
            if is_own:
                print(f"\n{error}")
            continue
        if is_own and not answers.numbers and args.chapters:
            raise CourseError("{file} has no exercises", file=path.name)
        if answers.numbers if is_own else _attempted(answers):
            print("\n" + tr("{chapter}: ", chapter=chapter), end="", flush=True)
            results = judge(path, answers)
            print_table(results)
            right += sum(result.verdict == Status.RIGHT.value for result in results)
            total += len(results)
    text = tr("{done} of {total} exercises done, in the notebooks as they were last saved", done=right, total=total)
    print(f"\n{text}")
    return 0


def find(name: str = "") -> Iterator[tuple[Path, bool]]:
    """Yield the chapters whose names start with `name`, and whether each is of the edition that is meant.

    That is the Chinese one for "zh/03", else the one in the language that counts; of the other, a student may have
    answers as well. Raises CourseError where there is none.
    """
    english, chinese = chapters.FOLDER, chapters.FOLDER / "zh"
    if name.startswith("zh/"):
        editions, name = [chinese], name.removeprefix("zh/")
    else:
        editions = [chinese, english] if messages.current() == messages.CHINESE else [english, chinese]
        editions = [folder for folder in editions if any(folder.glob("*.ipynb"))] or [english]
    yield from ((path, True) for path in chapters.find(name, editions[0]))
    for folder in editions[1:]:
        with contextlib.suppress(CourseError):
            yield from ((path, False) for path in chapters.find(name, folder))


def judge(path: Path, answers: Answers) -> list[judging.Result]:
    """Judge a chapter; a process is only started where there is something to run."""
    if _attempted(answers):
        return judging.judge(path)
    return [judging.judge_one(answers, number) for number in answers.numbers]


def _attempted(answers: Answers) -> list[str]:
    return [n for n in answers.numbers if not answers.is_untouched(n) and not answers.is_missing(n)]
