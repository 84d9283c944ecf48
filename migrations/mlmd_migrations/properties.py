"""What a downgrade does to property values that the older version cannot hold."""

from mlmd_migrations.facts import Facts
from mlmd_migrations.history import PROPERTY_TABLES, TABLE
from mlmd_migrations.rendering import MEDIUM_TEXT_SINCE, quoted

TEXT_BYTES = 65_535
"""The longest TEXT of MySQL."""
TEXT_CHARACTERS = 16_383
"""How many characters always fit into it."""


def _tables(facts: Facts, version: int) -> list[str]:
    return [name for name in PROPERTY_TABLES if name in facts.catalog and TABLE[name].since <= version]


def drop_valueless(facts: Facts, version: int) -> tuple[str, ...]:
    """DELETEs of the rows whose only value lies in a column that `version` does not have.

    Google's downgrade leaves them without any value, and then its reads of such a node fail.
    """
    return tuple(
        f"DELETE FROM {quoted(name)} WHERE "  # noqa: S608 - our own names
        + " AND ".join(
            f"{quoted(column.name)} IS NULL"
            for column in TABLE[name].at(version).columns
            if column.name.endswith("_value")
        )
        for name in _tables(facts, version)
    )


def cut_strings(facts: Facts, version: int) -> tuple[str, ...]:
    """UPDATEs that make every string fit MySQL's TEXT, which string_value was before version 7."""
    if version >= MEDIUM_TEXT_SINCE:
        return ()
    value = "`string_value`"
    ascii_only = f"OCTET_LENGTH({value}) = CHAR_LENGTH({value})"
    return tuple(
        f"UPDATE {quoted(name)} SET {value} = "  # noqa: S608 - our own names
        f"LEFT({value}, CASE WHEN {ascii_only} THEN {TEXT_BYTES} ELSE {TEXT_CHARACTERS} END) "
        f"WHERE OCTET_LENGTH({value}) > {TEXT_BYTES}"
        for name in _tables(facts, version)
    )
