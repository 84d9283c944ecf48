"""A number with its noun, as people are told it."""


def counted(number: int, noun: str, several: str = "") -> str:
    """Return a number with its noun; `several` is the noun of more than one where it is not the other with an s.

    >>> counted(1, "file"), counted(2, "file"), counted(0, "property", "properties")
    ('1 file', '2 files', '0 properties')
    """
    return f"{number} {noun if number == 1 else several or f'{noun}s'}"
