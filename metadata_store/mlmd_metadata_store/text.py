"""How text is kept in a database: as it is, or the way Google's MySQL client leaves it.

Google's server talks to MySQL over a connection that is declared latin1 and sends UTF-8 bytes through it, so each
non-ASCII byte is stored as a character of its own (mlmd-write contract, 6.6). MySQL's latin1 is Windows-1252 with
the five holes filled by the control characters of the same number.
"""

import codecs
from typing import Protocol


def _latin1_table() -> str:
    table = [bytes([byte]).decode("cp1252", errors="replace") for byte in range(256)]
    return "".join(chr(byte) if char == "\ufffd" else char for byte, char in enumerate(table))


_DECODING = _latin1_table()
_ENCODING = codecs.charmap_build(_DECODING)


def text_of(field: str | bytes) -> str:
    """Return the text of a message's field; one that is not UTF-8 is bytes there, which come as surrogates.

    >>> text_of("a"), text_of(b"a\\xff")
    ('a', 'a\\udcff')
    """
    return field if isinstance(field, str) else field.decode("utf-8", "surrogateescape")


class TextCodec(Protocol):
    """Turns a caller's text into what the database keeps, and back."""

    name: str
    plain: bool
    """Whether encode and decode return what they are given."""

    def encode(self, text: str) -> str:
        """Return what the database keeps for `text`."""
        ...

    def decode(self, text: str) -> str:
        """Return the caller's text for what the database keeps; bytes that are not UTF-8 come as surrogates."""
        ...


class PlainText:
    """Text is kept as it is: SQLite, and MySQL databases in true utf8mb4."""

    name = "utf8"
    plain = True

    def encode(self, text: str) -> str:
        """Return `text`."""
        return text

    def decode(self, text: str) -> str:
        """Return `text`."""
        return text


class GoogleText:
    """Text is kept as the characters that its UTF-8 bytes are in MySQL's latin1."""

    name = "google"
    plain = False

    def encode(self, text: str) -> str:
        """Return one character for each UTF-8 byte of `text`."""
        if text.isascii():
            return text
        return codecs.charmap_decode(text.encode("utf-8", "surrogateescape"), "strict", _DECODING)[0]

    def decode(self, text: str) -> str:
        """Return the text whose UTF-8 bytes these characters are; text that is not of that form comes as it is."""
        if text.isascii():
            return text
        try:
            raw = codecs.charmap_encode(text, "strict", _ENCODING)[0]
        except UnicodeEncodeError:
            return text
        return raw.decode("utf-8", "surrogateescape")


TEXT_CODECS: dict[str, TextCodec] = {codec.name: codec for codec in (PlainText(), GoogleText())}
