"""What may be done with a database as it is, and the refusals (mlmd-write contract, section 9)."""

from typing import Literal

from mlmd_migrations.errors import (
    ABORTED,
    CANCELLED,
    FAILED_PRECONDITION,
    INTERNAL,
    INVALID_ARGUMENT,
    SchemaError,
)
from mlmd_migrations.facts import Facts
from mlmd_migrations.history import LATEST, TABLES

Verdict = Literal["create", "upgrade", "ready"]


def judge(facts: Facts, *, half_made: bool, enable_upgrade: bool) -> Verdict:
    """Whether the tables are to be created, upgraded or used as they are; raises SchemaError for everything else."""
    if half_made:
        return "create"
    version = facts.version
    if version is None:
        _check_room(facts)
        return "create"
    if version > LATEST:
        raise newer(version)
    if version < LATEST:
        _check_upgrade(facts, version, enable_upgrade)
        return "upgrade"
    if facts.missing:
        raise _partial(facts)
    return "ready"


def newer(version: int) -> SchemaError:
    """The refusal of a database from the future."""
    return SchemaError(
        FAILED_PRECONDITION,
        f"The database has schema version {version} and this server knows up to {LATEST}; use the server that made it, "
        "or have that one downgrade the database.",
    )


def check_downgrade(facts: Facts, target: int) -> int:
    """The version of a database that may be downgraded to `target`.

    Raises SchemaError INVALID_ARGUMENT for an empty database, FAILED_PRECONDITION for one that is newer than we know.
    """
    version = facts.version
    if version is None:
        raise SchemaError(
            INVALID_ARGUMENT, f"The database is empty: there is nothing to downgrade to version {target}."
        )
    if version > LATEST:
        raise newer(version)
    return version


def check_target(target: int) -> None:
    """Raise SchemaError INVALID_ARGUMENT for a version that never was."""
    if target > LATEST:
        raise SchemaError(
            INVALID_ARGUMENT,
            f"MLMD cannot be downgraded to schema_version {target}: the newest version is {LATEST}.",
        )


def downgraded(target: int) -> SchemaError:
    """How a downgrade always ends, also when nothing had to be done: with no open store."""
    return SchemaError(
        CANCELLED,
        f"Downgrade migration was performed. The database is at schema version {target} or older and was not opened; "
        "use a server of that version, or start without the downgrade option and with upgrading enabled.",
    )


def _check_upgrade(facts: Facts, version: int, enable_upgrade: bool) -> None:
    if not enable_upgrade:
        raise SchemaError(
            FAILED_PRECONDITION,
            f"The database has schema version {version} and this server needs {LATEST}. Make a backup, then start with "
            "upgrading enabled (--enable-upgrade; of metadata_store_server: --enable_database_upgrade=true) "
            "or run `mlmd-server migrate`.",
        )
    if facts.versions and version <= 0:
        raise SchemaError(
            INTERNAL,
            f"MLMDEnv says schema version {version}, which no server ever wrote; correct it, or restore a backup.",
        )


def _check_room(facts: Facts) -> None:
    if len(facts.missing) < len(TABLES):
        raise _partial(facts)
    fold = str.lower if facts.database == "sqlite" else str
    ours = {fold(table.name) for table in TABLES}
    clashes = sorted(name for name in facts.catalog if fold(name) in ours)
    if clashes:
        raise SchemaError(
            INTERNAL,
            f"The database has tables that are not MLMD's under MLMD's names: {', '.join(clashes)}. Nothing was "
            "changed; rename them, or use another database.",
        )


def _partial(facts: Facts) -> SchemaError:
    present = [table.name for table in TABLES if table.name not in facts.missing]
    return SchemaError(
        ABORTED,
        f"The database has only a part of MLMD's tables: {', '.join(present) or 'none'} are complete, "
        f"{', '.join(facts.missing)} are absent or lack columns. If a migration was interrupted, run it again; else "
        "restore a backup or use an empty database.",
    )
