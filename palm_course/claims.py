"""Statements about results on real data, checked on real data and only there."""

import os

from palm_utils.messages import CourseError, mark, tr


class ClaimFailed(CourseError, AssertionError):
    """A result on the real data is outside what the chapter states."""


def claim(
    what: str, measured: float, *, real: bool, at_least: float | None = None, at_most: float | None = None
) -> None:
    """Print a measured figure beside the bounds the chapter states for it.

    real: measured on the real data; the sample is not checked. Raises ClaimFailed when a real figure is out of bounds
    (nan always is), and on the sample where the environment variable PALM_REQUIRE_REAL is set.
    """

    def line(end: str = "") -> str:
        told = {"what": tr(what), "measured": measured, "bounds": bounds, "end": end}
        return tr("{what}: {measured:.4f} (stated: {bounds}){end}", **told)

    stated = mark("at least {least:g} and at most {most:g}")
    if at_most is None:
        stated = mark("at least {least:g}")
    elif at_least is None:
        stated = mark("at most {most:g}")
    bounds = tr(stated, least=at_least, most=at_most)
    if not real and os.environ.get("PALM_REQUIRE_REAL"):
        raise ClaimFailed(tr("{claim} - PALM_REQUIRE_REAL is set, but this is the sample", claim=line()))
    within = (at_least is None or measured >= at_least) and (at_most is None or measured <= at_most)
    if real and not within:
        why = mark("{claim} - it does not hold on this machine. Is the code as it was? Then go on with the next cell.")
        raise ClaimFailed(tr(why, claim=line()))
    print(line(" ✓" if real else tr(" - not checked on the sample")))
