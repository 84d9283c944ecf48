"""Which state of the registry a cached answer was made from.

The generation is eight bytes that every worker of a server shares: the page is mapped before they are forked. Whoever
commits a change writes new random ones, and an answer made under other ones counts no longer. They are random and not
counted up, so that two workers who write at once cannot bring back what was there before.
"""

import mmap
import secrets

_BYTES = 8
_PAGE = mmap.mmap(-1, _BYTES)


def current_generation() -> bytes:
    """Return the generation; read it before the database."""
    return _PAGE[:_BYTES]


def next_generation() -> None:
    """Make every answer of before count no longer; call it after the commit."""
    _PAGE[:_BYTES] = secrets.token_bytes(_BYTES)
