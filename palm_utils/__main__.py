"""The command `python -m palm_utils`."""

import sys

from palm_course.command import main

if __name__ == "__main__":
    sys.exit(main())
