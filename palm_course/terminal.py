"""Columns of text in a terminal, where a Chinese character is two columns wide."""

from __future__ import annotations  # the doctor has to run on any Python

import unicodedata


def width(text: str) -> int:
    """Return how many terminal columns a text takes; a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def pad(text: str, columns: int) -> str:
    """Return `text` followed by spaces, `columns` terminal columns wide in all."""
    return text + " " * (columns - width(text))
