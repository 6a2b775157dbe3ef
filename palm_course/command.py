"""The command `python -m palm_utils`: what students need (data, progress, reset, update), then the rest."""

from __future__ import annotations  # the doctor has to run on any Python

import argparse
import importlib
import sys

from palm_course import doctor
from palm_utils import __version__
from palm_utils.messages import CourseError, mark, tr

# Each command's module (with add_options and run) and its line in --help; to import all of them would take seconds.
COMMANDS = {
    "data": ("getting.command", mark("show where each data set is; prepare or download the real ones")),
    "progress": ("students.progress", mark("show which exercises are done")),
    "reset": ("students.reset", mark("put a fresh chapter in place and keep yours beside it")),
    "update": ("students.update", mark("get the course's newest version and keep your answers")),
    "run": ("chapters", mark("execute chapters from top to bottom, without a browser")),
    "course": ("rebuild", mark("execute the chapters on the real data and store their outputs")),
    "predict": ("photograph", mark("say what a trained network makes of your own photographs")),
    "train": ("results.train", mark("train a chapter's network on iChallenge-PM")),
    "results": ("results.measure", mark("measure both recipes of each network over several seeds")),
    "choose": ("results.candidates", mark("compare candidate recipes by cross-validation on the training photographs")),
    "grade": ("students.grade", mark("score a folder of students' notebooks")),
    "doctor": ("doctor", mark("check Python, packages, device, data and disk")),
}


def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    for stream in (sys.stdout, sys.stderr):
        # A console may lack a tick or Chinese characters; a question mark in their place does no harm.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    if argv == ["doctor"]:
        return doctor.run()  # before anything is imported that may be missing
    try:
        args = _parse(argv)
    except Exception as error:  # of an import
        text = mark("This Python ({python}) cannot run the course ({error}). Run: python course.py {words}")
        print(tr(text, python=sys.executable, error=error, words=" ".join(argv)), file=sys.stderr)
        return 1
    try:
        return args.run(args)
    except (CourseError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(tr("interrupted"), file=sys.stderr)
        return 130


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m palm_utils", description=tr("Tools of the course companion."))
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(title=tr("commands"), metavar=tr("COMMAND"), required=True)
    for name, (module, line) in COMMANDS.items():
        command = subparsers.add_parser(name, help=tr(line))
        if name in argv and name != "doctor":  # which has no options
            found = importlib.import_module(f"palm_course.{module}")
            found.add_options(command)
            command.set_defaults(run=found.run)
    return parser.parse_args(argv)
