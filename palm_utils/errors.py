"""Errors that tell a student what is wrong, where, and what to do about it."""


class CourseError(Exception):
    """Base of the errors raised by palm_utils; its text is written for the student."""


class DataError(CourseError, ValueError):
    """A data set, label table, photograph or archive is missing something or damaged."""


class DataNotFound(DataError, FileNotFoundError):
    """A file or folder of a data set is not where it was said to be."""

    # FileNotFoundError would print a bare tuple when given several arguments; ours has one text.
    __str__ = Exception.__str__


class DownloadError(CourseError, OSError):
    """A download failed; the message names the address, the file and what to do by hand."""

    __str__ = Exception.__str__
