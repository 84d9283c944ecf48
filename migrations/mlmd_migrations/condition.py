"""Whether an open database still has the shape that this code expects, since others may have changed it meanwhile."""

from dataclasses import dataclass

from sqlalchemy import Engine

from mlmd_migrations.facts import read_facts
from mlmd_migrations.history import LATEST
from mlmd_migrations.own_tables import HEAD
from mlmd_migrations.session import looking

_MIGRATE = "stop the servers that use this database, then run `mlmd-server migrate` once"
_NEWER = "upgrade this server to the version of mlmd-server that changed the database, or restore a backup"


@dataclass(frozen=True, slots=True)
class Condition:
    """What the database is, in words, and what is to be done about it, empty when nothing is."""

    found: str
    mend: str = ""


def condition_of(engine: Engine) -> Condition:
    """Look at the database anew; changes nothing. Raises SchemaError for what no version of ours can be."""
    with looking(engine) as connection:
        facts = read_facts(connection)
    version, revision = facts.version, facts.revision
    if version is None:
        return Condition("the database has no tables of ML Metadata any more", "restore a backup, or name another")
    ours = f"own tables {revision}" if revision else "none of our own tables"
    found = f"schema version {version}, {ours}"
    expected = f"; this server expects {LATEST} and {HEAD}"
    if version > LATEST:
        return Condition(f"{found}{expected}", _NEWER)
    if version < LATEST or (revision and revision != HEAD):
        return Condition(f"{found}{expected}", _MIGRATE)
    if facts.missing:
        return Condition(f"{found}; of these tables something is gone: {', '.join(facts.missing)}", "restore a backup")
    return Condition(found)
