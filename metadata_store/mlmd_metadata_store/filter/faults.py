"""How a filter is refused: one sentence, where it went wrong, INVALID_ARGUMENT."""

from mlmd_schemas.errors import InvalidArgument

PREFIX = "Invalid `filter_query`: "
SHOWN = 60
"""Characters of the caller's own text that a sentence repeats."""


class Fault(Exception):
    """A reason and the offset of the character it is about; `parse_filter` turns it into InvalidArgument."""

    def __init__(self, at: int, reason: str) -> None:
        super().__init__(reason)
        self.at = at
        self.reason = reason


def refusal(text: str, fault: Fault) -> InvalidArgument:
    """Return the caller's error; lines and columns count from 1, columns in characters."""
    before = text[: fault.at]
    line = before.count("\n") + 1
    column = fault.at - (before.rfind("\n") + 1) + 1
    return InvalidArgument(f"{PREFIX}{fault.reason} [at {line}:{column}]")


def shown(words: str) -> str:
    """Return a piece of the caller's text, shortened."""
    return words if len(words) <= SHOWN else f"{words[:SHOWN]}…"
