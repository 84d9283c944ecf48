"""What is told about an open database."""

from dataclasses import dataclass

from mlmd_migrations.facts import Facts
from mlmd_migrations.own_tables import TextMode


@dataclass(frozen=True, slots=True)
class Schema:
    """An open database, as its users need to know it."""

    text_mode: TextMode
    """'google': strings are UTF-8 bytes over a latin1 connection (MySQL databases that Google's server made)."""
    wide_integers: bool
    """False: ids, int_value and step_index have 32 bits until `migrate` widens them."""
    store_uuid: str
    """The store's identity; "" in a read-only database that our server never wrote to."""
    created: bool
    """Whether this call made the tables."""


def schema_of(facts: Facts, created: bool = False) -> Schema:
    """The facts as users need them."""
    adopted: TextMode = "utf8" if facts.database == "sqlite" else "google"
    text_mode = facts.store.text_mode if facts.store else adopted
    return Schema(text_mode, facts.is_wide, facts.store.store_uuid if facts.store else "", created)
