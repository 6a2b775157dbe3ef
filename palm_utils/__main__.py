"""The command `python -m palm_utils`: data, run, course, train, results, choose, doctor."""

from __future__ import annotations  # the doctor has to run on any Python

import argparse
import sys

from palm_utils import __version__, doctor
from palm_utils.errors import CourseError


def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    if argv == ["doctor"]:
        return doctor.run()  # before anything is imported that may be missing
    from palm_utils import choose, course, measure, notebooks, train
    from palm_utils.datasets import command as data

    parser = argparse.ArgumentParser(prog="python -m palm_utils", description="Tools of the course companion.")
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (data, notebooks, course, train, measure, choose, doctor):
        module.add_parser(subparsers)
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
