"""Who is asking: a token that was given, or one in a file that somebody keeps fresh."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from mlmd_schemas.errors import Code

from mlmd_client.calls import CallError
from mlmd_client.failures import refused

TOKEN_VARIABLE, FILE_VARIABLE = "MLMD_TOKEN", "MLMD_TOKEN_FILE"


class Token(Mapping[str, str]):
    """What a server wants to hear of its caller with every call, as headers; none where there is no token.

    A file is read for each call, so that a token that is replaced while a training goes on is the one that is sent, as
    Kubernetes replaces those of service accounts. Raises CallError for what no header carries and what cannot be read.

    >>> dict(Token("s3cret"))
    {'authorization': 'Bearer s3cret'}
    >>> dict(Token())
    {}
    """

    def __init__(self, text: str = "", file: Path | None = None) -> None:
        """Take the token, or the file that holds it and nothing else, which is read at once to find what is wrong."""
        self._text = text
        self._file = file
        self._told()

    @classmethod
    def chosen(cls, given: str, environment: Mapping[str, str] = os.environ) -> "Token":
        """Return the token that was given, else what `MLMD_TOKEN` or the file of `MLMD_TOKEN_FILE` says.

        >>> dict(Token.chosen("", {"MLMD_TOKEN": "s3cret"}))
        {'authorization': 'Bearer s3cret'}
        """
        if given is not None and not isinstance(given, str):
            raise refused(f"token: is of type {type(given).__name__} and no text; give it as it was given to you.")
        text = (given or environment.get(TOKEN_VARIABLE, "")).strip()  # of a file, its last line end
        file = environment.get(FILE_VARIABLE, "")
        return cls(text, Path(file) if file and not text else None)

    def __getitem__(self, name: str) -> str:
        """Return the value of the header `authorization`, of a file as it is now.

        Raises KeyError for any other header and without a token, CallError for a file that is empty or unreadable.
        """
        token = self._told()
        if name != "authorization" or not token:
            raise KeyError(name)
        return f"Bearer {token}"

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the headers: `authorization`, or nothing without a token. Reads no file."""
        return iter(("authorization",) if self._text or self._file else ())

    def __len__(self) -> int:
        """Return 1, or 0 without a token. Reads no file."""
        return 1 if self._text or self._file else 0

    def _told(self) -> str:
        if self._file is None:
            return _sound(self._text, "token")
        try:
            text = self._file.read_text("utf-8", "replace").strip()
        except OSError as error:
            text, trouble = "", f"cannot be read: {error.strerror}; it holds the token and nothing else."
        else:
            trouble = "is empty; it holds the token and nothing else."
        if not text:  # it may be there again in a moment, so nothing is refused for good
            raise CallError(Code.UNAUTHENTICATED, f"{FILE_VARIABLE}: {str(self._file)!r} {trouble}")
        return _sound(text, FILE_VARIABLE)


def _sound(text: str, field: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise refused(f"{field}: has a character that no header carries; check where it is read.")
    return text
