"""What artifacts were made from: the inputs of the executions that put them out, and so on."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import EVENT

_OUT, _IN = EVENT.alias("put_out"), EVENT.alias("taken_in")
_OUTPUTS = (pb.Event.OUTPUT, pb.Event.DECLARED_OUTPUT, pb.Event.INTERNAL_OUTPUT, pb.Event.PENDING_OUTPUT)
_INPUTS = (pb.Event.INPUT, pb.Event.DECLARED_INPUT, pb.Event.INTERNAL_INPUT)
_HOP: sa.Select[Any] = (
    sa.select(_OUT.c.artifact_id, _IN.c.artifact_id)
    .join(_IN, _IN.c.execution_id == _OUT.c.execution_id)
    .where(
        _OUT.c.artifact_id.in_(sa.bindparam("ids", expanding=True)),
        _OUT.c.type.in_([int(kind) for kind in _OUTPUTS]),
        _IN.c.type.in_([int(kind) for kind in _INPUTS]),
    )
    .distinct()
)


def origins(tx: Transaction, artifact_ids: Iterable[int], known: Iterable[int] = ()) -> dict[int, int]:
    """Return everything these artifacts were made from, each with the artifact on the way back; one statement a hop.

    What is `known`, and so what that was made from, is left out.
    """
    frontier, made_from = set(artifact_ids), dict[int, int]()
    seen = frontier.union(known)
    while frontier:
        reached: set[int] = set()
        for made, origin in sorted(tx.rows_in(_HOP, frontier)):
            if origin not in seen:
                seen.add(origin)
                made_from[origin] = made
                reached.add(origin)
        frontier = reached
    return made_from
