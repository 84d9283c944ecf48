"""What is asked for by external ids: nodes and types."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.errors import InvalidArgument, NotFound

from mlmd_metadata_store.transaction import Transaction


def rows_by_external_id(
    tx: Transaction, statement: sa.Executable, external_ids: Sequence[str], noun: str, **parameters: Any
) -> list[Any]:
    """Return the rows of a SELECT that takes external ids as `ids`; none when none is asked for.

    Raises InvalidArgument for an empty one, NotFound when no `noun`, as errors call it, has any of them.
    """
    if not all(external_ids):
        raise InvalidArgument("external_ids: one of them is empty; an external id that can be asked for is not.")
    rows = tx.rows_in(statement, {tx.text.encode(given) for given in external_ids}, **parameters)
    if external_ids and not rows:
        raise NotFound(f"external_ids: no {noun} has {external_ids[0]!r} or another of these.")
    return rows
