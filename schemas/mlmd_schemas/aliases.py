"""What can be an alias of a version; asked by the server, and by a client before it sends bytes."""

LATEST = "latest"
"""Computed, and never stored: the newest version."""
LONGEST_ALIAS = 255


def alias_fault(alias: str) -> str:
    """Return why a text can be no alias, as an error says it; "" where it can be one.

    >>> alias_fault("champion")
    ''
    >>> alias_fault("7")
    "alias: '7' is a number, and numbers name versions; add a letter."
    """
    if not alias or alias != alias.strip() or not alias.isprintable() or len(alias) > LONGEST_ALIAS:
        return (
            f"alias: {alias[:80]!r} is empty, begins or ends with space, is not printable, or is longer than "
            f"{LONGEST_ALIAS} characters."
        )
    if "@" in alias:
        return f"alias: {alias!r} has an '@', after which an alias begins in name@alias; leave it out."
    if alias.isdecimal():
        return f"alias: {alias!r} is a number, and numbers name versions; add a letter."
    if alias.casefold() == LATEST:
        return f"alias: {alias!r} always points at the newest version; choose another alias."
    return ""
