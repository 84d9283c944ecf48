"""Where data entered the store: artifacts that nothing made, or that an importer only recorded."""

from collections import defaultdict

from mlmd_metadata_store.node_rows import READERS
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.pb.v1 import lineage_pb2 as v1
from mlmd_schemas.tables.v10 import Kind

from mlmd_lineage.noise import IMPORTERS
from mlmd_lineage.pages import Page
from mlmd_lineage.walk import Walk

_TYPE_ID = 1


def origins(tx: Transaction, walk: Walk, page: Page) -> set[int]:
    """Return the ids of the artifacts of an upstream page that nothing but an importer has made."""
    unsure = (v1.LINEAGE_CUT_ENDING, v1.LINEAGE_CUT_WINDOW)  # their events were not looked at, or not at all of them
    asked = {ref.id for ref, found in page if ref.kind is Kind.ARTIFACT and found.cut not in unsure}
    makers: dict[int, set[int]] = defaultdict(set)
    for _, artifact_id, execution_id, *_ in walk.rows[Kind.ARTIFACT]:
        if artifact_id in asked:
            makers[artifact_id].add(execution_id)
    importers = _importers(tx, walk, {maker for found in makers.values() for maker in found})
    return {artifact_id for artifact_id in asked if makers[artifact_id] <= importers}


def _importers(tx: Transaction, walk: Walk, execution_ids: set[int]) -> set[int]:
    """Return those of the executions that only import; those that are not on the page yet are read."""
    known = walk.nodes[Kind.EXECUTION]
    type_ids = {i: known[i].row[_TYPE_ID] for i in execution_ids & known.keys() if known[i].row is not None}
    rows = tx.rows_in(READERS[Kind.EXECUTION].by_id, execution_ids - known.keys())
    type_ids |= {row[0]: row[_TYPE_ID] for row in rows}
    types = tx.types.get_many(tx, Kind.EXECUTION, type_ids.values())
    return {i for i, type_id in type_ids.items() if type_id in types and types[type_id].name in IMPORTERS}
