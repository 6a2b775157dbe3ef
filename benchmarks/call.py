"""`python -m benchmarks.call MODULE:FUNCTION ARGUMENTS RESULT`: call a function in a process of its own.

ARGUMENTS and what is written to the file RESULT are JSON. Imports nothing of palm_utils, since the
environment that PyTorch is measured in need not have what that takes.
"""

import importlib
import json
import sys
from pathlib import Path


def main(name: str, arguments: str, result: str) -> None:
    module, _, function = name.partition(":")
    value = getattr(importlib.import_module(module), function)(**json.loads(arguments))
    Path(result).write_text(json.dumps(value), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
