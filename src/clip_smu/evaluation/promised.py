"""The promised error rate of verdicts beside the found one, in words: for the terminal and for reports."""

from __future__ import annotations


def is_broken(promised: float | None, found: float | None) -> bool:
    """Whether more verdicts are wrong than were promised; not where nothing was promised or found."""
    return promised is not None and found is not None and found > promised


def promise_in_words(
    promised: float | None, found: float | None, low: float | None = None, high: float | None = None
) -> str:
    """One sentence, or "" where nothing was promised or found.

    Args:
        promised: share of the verdicts that may be wrong. found: share that was. low, high: its 95 % interval.

    Example:
        >>> promise_in_words(0.1, 0.084)
        'The promise is kept: at most 10.0 % of the verdicts were to be wrong, 8.4 % are.'
        >>> promise_in_words(0.1, 0.202, 0.195, 0.209)
        'The promise is BROKEN: at most 10.0 % of the verdicts were to be wrong, 20.2 % are (95 % 19.5 to 20.9).'
        >>> promise_in_words(0.1, None)
        ''
    """
    if promised is None or found is None:
        return ""
    told = "BROKEN" if is_broken(promised, found) else "kept"
    interval = "" if low is None or high is None else f" (95 % {100 * low:.1f} to {100 * high:.1f})"
    return (
        f"The promise is {told}: at most {100 * promised:.1f} % of the verdicts were to be wrong, "
        f"{100 * found:.1f} % are{interval}."
    )
