"""The command `python -m palm_utils`: what students need (data, progress, reset, update, doctor), then the rest."""

from __future__ import annotations  # the doctor has to run on any Python

import argparse
import importlib
import sys

from palm_utils import __version__, doctor
from palm_utils.errors import CourseError

# Where each command is, and its line in --help; importing all of them would take seconds.
COMMANDS = {
    "data": ("datasets.command", "show where each data set is; prepare or download the real ones"),
    "progress": ("progress", "show which exercises are done"),
    "reset": ("reset", "put a fresh chapter in place and keep yours beside it"),
    "update": ("update", "get the course's newest version and keep your answers"),
    "run": ("notebooks", "execute chapters from top to bottom, without a browser"),
    "course": ("course", "execute the chapters on the real data and store their outputs"),
    "train": ("train", "train a chapter's network on iChallenge-PM"),
    "results": ("measure", "measure both recipes of each network over several seeds"),
    "choose": ("choose", "compare candidate recipes by cross-validation on the training photographs"),
    "grade": ("grade", "score a folder of students' notebooks"),
    "doctor": ("doctor", "check Python, packages, device, data and disk"),
}


def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    if argv == ["doctor"]:
        return doctor.run()  # before anything is imported that may be missing
    parser = argparse.ArgumentParser(prog="python -m palm_utils", description="Tools of the course companion.")
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (module, line) in COMMANDS.items():
        if name in argv:
            importlib.import_module(f"palm_utils.{module}").add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=line)
    args = parser.parse_args(argv)
    try:
        return args.run(args)
    except (CourseError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
