"""Rows of `mlmd_alias_moves`, and the messages they are."""

from collections.abc import Sequence
from typing import Any

from mlmd_schemas.pb.v1 import collections_pb2 as v1
from mlmd_schemas.tables.own import ALIAS_MOVE

MOVE_FIELDS = ("sequence", "alias", "from_number", "to_number", "subject", "reason", "move_ms")
"""What a move says, by the names of both columns and message."""
MOVE_COLUMNS = tuple(ALIAS_MOVE.c[name] for name in MOVE_FIELDS)


def move_of_row(row: Sequence[Any]) -> v1.AliasMove:
    """Return the message of a row of MOVE_COLUMNS."""
    return v1.AliasMove(**dict(zip(MOVE_FIELDS, row, strict=True)))
