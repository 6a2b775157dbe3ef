"""Bring the translations of palm_utils up to date with the code: what `python course.py messages` runs."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORDS = "tr trn:1,2 mark word Mistake Text CourseError DataError DataNotFound DownloadError WrongArgument"
WORDS += " TrainingDiverged NotSaved UnsafePickle UnreadableNotebook NotebookFailed GitFailed ClaimFailed"


def babel(*arguments):
    subprocess.run([sys.executable, "-m", "babel.messages.frontend", *arguments], cwd=ROOT, check=True)


def main():
    template, catalogue = "build/palm_utils.pot", ["-d", "palm_utils/locale", "-D", "palm_utils"]
    (ROOT / "build").mkdir(exist_ok=True)
    keywords = ["--no-default-keywords", *(f"--keyword={word}" for word in WORDS.split())]
    looks = ["--add-location=file", "--sort-by-file", "--width=110"]
    babel("-q", "extract", *keywords, *looks, "-o", template, "palm_utils", "palm_course")
    looks = ["--no-fuzzy-matching", "--ignore-obsolete", "--ignore-pot-creation-date", "--width=110"]
    babel("-q", "update", "-i", template, *catalogue, *looks)
    babel("compile", *catalogue, "--statistics")


if __name__ == "__main__":
    main()
