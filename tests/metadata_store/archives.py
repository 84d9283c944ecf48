"""How tests fill a store with something of everything, take an archive of it and import one."""

import math
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.archive_methods import ARCHIVE_STREAMS
from mlmd_metadata_store.archive_tables import ARCHIVED, ORIGINS, ArchivedTable
from mlmd_metadata_store.pins import pin_artifact
from mlmd_metadata_store.transaction import Transaction
from mlmd_model_registry.methods import REGISTRY_METHODS
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2 as admin
from mlmd_schemas.pb.v1 import archive_pb2 as v1
from mlmd_schemas.pb.v1 import metrics_pb2 as metrics
from mlmd_schemas.tables.v10 import METADATA as V10

from tests.metadata_store.calls import Calls, node
from tests.metadata_store.fixture import build
from tests.metadata_store.measured import log, series

(EXPORT,) = ARCHIVE_STREAMS
REGISTRY = {rpc.name: rpc for rpc in REGISTRY_METHODS}
ODD_VALUES: dict[str, Any] = {
    "nan": math.nan,
    "inf": math.inf,
    "-inf": -math.inf,
    "tiny": 5e-324,
    "large": 1.7976931348623157e308,
    "whole": 3.0,
    "marked": "mlmd-struct::no struct",
    "null": "__MLMD_NULL__",
    "text": "Größe \u2028 \U0001f600",
    "empty": "",
    "wide": (1 << 63) - 1,
}


def exported(call: Calls) -> list[v1.ExportResponse]:
    """Return the messages of an archive of a store."""
    return list(call.store.stream(EXPORT, LOCAL, v1.ExportRequest()))


def begun(call: Calls, archive: list[v1.ExportResponse]) -> tuple[str, int]:
    """Begin an import and add every message; return its id and how many there are."""
    import_id = call("BeginImport", header=archive[0].header).import_id
    for number, message in enumerate(archive[1:], 1):
        call("AddToImport", import_id=import_id, number=number, rows=message.rows)
    return import_id, len(archive) - 1


def imported(call: Calls, archive: list[v1.ExportResponse], **fields: Any) -> dict[str, v1.ImportedTable]:
    """Import an archive; return what became of each table."""
    import_id, count = begun(call, archive)
    answer = call("CommitImport", import_id=import_id, count=count, **fields)
    return {table.table: table for table in answer.tables}


def rows(call: Calls, archived: ArchivedTable, leave_out: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
    """Return every row of a table as its callers know it, sorted."""
    columns = [column for column in archived.table.columns if column.name not in leave_out]

    def read(tx: Transaction) -> list[tuple[Any, ...]]:
        decode = tx.text.decode if archived.table.metadata is V10 else str
        found = tx.rows(sa.select(*columns))
        return sorted(
            (tuple(decode(value) if isinstance(value, str) else value for value in row) for row in found), key=repr
        )

    return call.store.database.read(LOCAL, read)


def everything(call: Calls) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of every table that an archive holds, without what differs between two stores of one content."""
    changing = {"mlmd_manifests": ("is_external", "key_prefix"), "mlmd_runs": ("token",)}
    told = [archived for archived in ARCHIVED if archived is not ORIGINS]
    return {archived.name: rows(call, archived, changing.get(archived.name, ())) for archived in told}


def furnish(call: Calls) -> None:
    """Put something into every table of an archive, artifact files apart."""
    build(call)
    call("PutArtifacts", artifacts=[node(pb.Artifact, custom=ODD_VALUES, type_id=13, uri="odd", name="odd")])
    for number in range(3):
        version = pb.Artifact(uri=f"v{number}").SerializeToString()
        call("AddVersion", type_name="Dataset", name="churn", artifact=version)
    for number in (1, 3, 2):
        call("MoveAlias", type_name="Dataset", name="churn", alias="good", number=number, reason="so")
    call("MoveAlias", type_name="Dataset", name="churn", alias="gone", number=1)
    call("MoveAlias", type_name="Dataset", name="churn", alias="gone", number=0)
    log(call, series(1, "loss", [0.5, math.nan, math.inf, 0.1]))
    matrix = metrics.MatrixCounts(labels=["a", "b"], counts=[3, 1, 2, 4])
    call("LogConfusionMatrix", key=metrics.MetricKey(owner={"artifact_id": 1}, name="test"), matrix=matrix)
    call("StartRun", experiment="exp", step="train", token="a" * 32)
    register(call, "CreateModelVersion", model="fraud", artifact_id=1, create_model=True)
    register(call, "CreateModelVersion", model="fraud", uri="s3://b/m")
    register(call, "MoveModelAlias", model="fraud", alias="champion", version="1")
    register(call, "ApproveModelVersion", model="fraud", version="2", reason="fine")
    register(call, "SetModelGates", model="fraud", alias="champion", rules=["approved by 1"])
    register(call, "MoveModelAlias", model="fraud", alias="champion", version="2", override_gates=True, reason="haste")
    pinned = pb.Artifact(uri="kept").SerializeToString()
    number = call("AddVersion", type_name="Dataset", name="pinned", artifact=pinned).version.artifact_id
    call.store.database.write(
        LOCAL, lambda tx: pin_artifact(tx, admin.PinArtifactRequest(artifact_id=number, reason="x"))
    )


def register(call: Calls, method: str, **fields: Any) -> Any:
    """Make a call of the model registry."""
    rpc = REGISTRY[method]
    return call.store.call(rpc, LOCAL, rpc.request(**fields))


def settled(answer: dict[str, v1.ImportedTable]) -> bool:
    """Whether an import added nothing."""
    return all(table.added == 0 and table.present == table.rows for table in answer.values())
