"""How long a text may be that goes into a column of limited length, checked before it is sent."""

from mlmd_metadata_store.dialects import TooLong
from mlmd_metadata_store.text import text_of
from mlmd_metadata_store.transaction import Transaction

_MOST_BYTES = 4
"""A character has at most so many in UTF-8, so that most texts need no counting."""


def fitting_name(tx: Transaction, field: str, given: str | bytes) -> str:
    """Return a name, version or external id as its column holds it.

    Raises TooLong with the reason: the column counts characters, and the bytes of `given` where text is kept as
    Google's server keeps it.
    """
    text = text_of(given)
    kept, longest = tx.text.encode(text), tx.dialect.longest_name
    if len(kept) > longest:
        raise _too_long(field, text, f"{len(kept)} {'characters' if tx.text.plain else 'bytes'}", longest)
    return kept


def fitting_text(tx: Transaction, field: str, given: str | bytes) -> str:
    """Return a uri, description, step of a path or structure of a type as its column holds it, which counts bytes.

    Raises TooLong with the reason. Text that is kept as Google's server keeps it has the bytes of `given` where the
    column is latin1, as MySQL 5.7 makes them, and up to three times as many where it is utf8mb4: of what lies between,
    the database says whether it fits.
    """
    text = text_of(given)
    longest = tx.dialect.longest_text_bytes
    if len(text) * _MOST_BYTES > longest and (length := len(text.encode("utf-8", "surrogateescape"))) > longest:
        raise _too_long(field, text, f"{length} bytes", longest)
    return tx.text.encode(text)


def _too_long(field: str, text: str, length: str, longest: int) -> TooLong:
    return TooLong(f"{field}: {text[:40]!r}… has {length}, and its column in this database holds {longest}.")
