"""What orchestrators write for themselves: true, and in the way of whoever asks where a model came from.

Kubeflow Pipelines records each DAG and each importer as an execution, and the log of every step as an artifact that
only its URI tells from a user's (`<root>/<task>/<uuid>/executor-logs`, after a retry `executor-logs-<n>`).
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.tables.v10 import Kind

IMPORTERS = frozenset({"system.ImporterExecution", "system.ImporterWorkspaceExecution"})
SYSTEM_EXECUTIONS = IMPORTERS | {"system.DAGExecution"}
LOG_TYPE = "system.Artifact"

_LOG_URI = re.compile(r"(?:^|/)executor-logs(?:-\d+)?/?$")
_ID, _TYPE_ID, _NAME, _URI = 0, 1, 2, 6
"""Columns of `node_rows.READERS`."""


def system_nodes(tx: Transaction, kind: Kind, rows: Iterable[Any]) -> set[int]:
    """Return the ids of those rows of `READERS[kind].columns` that are an orchestrator's own nodes."""
    rows = list(rows)
    types = tx.types.get_many(tx, kind, {row[_TYPE_ID] for row in rows})
    if kind is Kind.EXECUTION:
        noisy = {type_id for type_id, facts in types.items() if facts.name in SYSTEM_EXECUTIONS}
        return {row[_ID] for row in rows if row[_TYPE_ID] in noisy} if noisy else set()
    logs = {type_id for type_id, facts in types.items() if facts.name == LOG_TYPE}
    return {row[_ID] for row in rows if row[_TYPE_ID] in logs and _is_log(row)} if logs else set()


def _is_log(row: Sequence[Any]) -> bool:
    return row[_NAME] == "executor-logs" or _LOG_URI.search(row[_URI] or "") is not None
