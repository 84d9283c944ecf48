"""The names of a JSON object, each of which may stand there once."""

from typing import Any


def names_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object, as `json.loads` asks for by `object_pairs_hook`; raises ValueError for a name that came twice.

    Of such a name the last value would silently be taken.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(f"{_twice(pairs)[:60]!r} stands twice in one object; leave one out")
    return found


def _twice(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            return name
        seen.add(name)
    return ""
