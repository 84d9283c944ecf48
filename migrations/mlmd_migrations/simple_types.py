"""The nine types that every store has (mlmd-write contract, section 2.7)."""

from sqlalchemy import Connection, bindparam, text

EXECUTION, ARTIFACT = 0, 1
SIMPLE_TYPES: tuple[tuple[str, int], ...] = (
    ("mlmd.Dataset", ARTIFACT),
    ("mlmd.Model", ARTIFACT),
    ("mlmd.Metrics", ARTIFACT),
    ("mlmd.Statistics", ARTIFACT),
    ("mlmd.Train", EXECUTION),
    ("mlmd.Transform", EXECUTION),
    ("mlmd.Process", EXECUTION),
    ("mlmd.Evaluate", EXECUTION),
    ("mlmd.Deploy", EXECUTION),
)
FIND = text("SELECT name, type_kind FROM `Type` WHERE version IS NULL AND name IN :names").bindparams(
    bindparam("names", [name for name, _ in SIMPLE_TYPES], expanding=True)
)
INSERT = text("INSERT INTO `Type` (name, type_kind) VALUES (:name, :kind)")
INSERT_FIRST = text("INSERT INTO `Type` (id, name, type_kind) VALUES (:id, :name, :kind)")


def missing_types(connection: Connection) -> list[tuple[str, int]]:
    """The simple types that have no row, in the order they are inserted; one statement."""
    present = {(name, int(kind)) for name, kind in connection.execute(FIND)}
    return [pair for pair in SIMPLE_TYPES if pair not in present]


def insert_missing(connection: Connection) -> None:
    """Give every simple type its row; in an empty table they get ids 1 to 9."""
    types = [
        {"id": number, "name": name, "kind": kind} for number, (name, kind) in enumerate(missing_types(connection), 1)
    ]
    if not types:
        return
    if connection.execute(text("SELECT 1 FROM `Type` LIMIT 1")).first() is None:
        # Said outright: an insertion that was interrupted has used up MySQL's first numbers.
        connection.execute(INSERT_FIRST, types)
    else:
        connection.execute(INSERT, types)
