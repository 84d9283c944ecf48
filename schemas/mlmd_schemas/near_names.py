"""What somebody may have meant by a name that is not there."""

from collections.abc import Iterable

MEANT = "did you mean"
MOST_NAMES = 200
"""How many names are looked through: a misspelt name is to cost no more than a page of a list."""
_LIKENESS = 0.7
_MOST_SAID = 3


def did_you_mean(name: str, there: Iterable[str]) -> str:
    """Return the end of a sentence that names those that are most like a name, "" where none is.

    >>> did_you_mean("chrun", ["churn", "fraud"])
    "; did you mean 'churn'?"
    >>> did_you_mean("unknown", ["churn", "fraud"])
    ''
    """
    from difflib import get_close_matches  # slow to import, and most programs misspell nothing

    by_lower = {one.lower(): one for one in there}
    near = get_close_matches(name.lower()[:255], by_lower, _MOST_SAID, _LIKENESS)
    return f"; {MEANT} {' or '.join(repr(by_lower[one]) for one in near)}?" if near else ""
