"""Bring the translations of palm_utils up to date with the code: what `python course.py messages` runs."""

import subprocess
import sys
from pathlib import Path

from zh_outputs import claim_names

ROOT = Path(__file__).resolve().parent.parent
WORDS = "tr trn:1,2 mark word Mistake Text CourseError DataError DataNotFound DownloadError WrongArgument"
WORDS += " TrainingDiverged NotSaved UnsafePickle UnreadableNotebook NotebookFailed GitFailed ClaimFailed"


def babel(*arguments):
    subprocess.run([sys.executable, "-m", "babel.messages.frontend", *arguments], cwd=ROOT, check=True)


def main():
    template, catalogue = "build/palm_utils.pot", ["-d", "palm_utils/locale", "-D", "palm_utils"]
    claims = ROOT / "build" / "claims.py"
    claims.parent.mkdir(exist_ok=True)
    claims.write_text("".join(f"mark({name!r})\n" for name in claim_names()), encoding="utf-8")
    keywords = ["--no-default-keywords", *(f"--keyword={word}" for word in WORDS.split())]
    looks = ["--add-location=file", "--sort-by-file", "--width=110"]
    babel("-q", "extract", *keywords, *looks, "-o", template, "palm_utils", "palm_course", "build/claims.py")
    looks = ["--no-fuzzy-matching", "--ignore-obsolete", "--ignore-pot-creation-date", "--width=110"]
    babel("-q", "update", "-i", template, *catalogue, *looks)
    babel("compile", *catalogue, "--statistics")


if __name__ == "__main__":
    main()
