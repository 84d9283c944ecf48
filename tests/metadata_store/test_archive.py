"""Archives: whatever a store holds comes out, goes into another one, and changes nothing the second time."""

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from mlmd_metadata_store.archive_lines import line_of, rows_of
from mlmd_metadata_store.archive_methods import ARCHIVE_STREAMS
from mlmd_metadata_store.archive_tables import ARCHIVED, ORIGINS, ArchivedTable
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.pins import pin_artifact
from mlmd_metadata_store.purging import choose, purge_facts
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_model_registry.methods import REGISTRY_METHODS
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Code, InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2 as admin
from mlmd_schemas.pb.v1 import archive_pb2 as v1
from mlmd_schemas.pb.v1 import metrics_pb2 as metrics
from mlmd_schemas.tables.v10 import METADATA as V10

from tests.metadata_store.calls import Calls, counted, node
from tests.metadata_store.fixture import build
from tests.metadata_store.measured import log, series
from tests.services.sql_server import Address

(EXPORT,) = ARCHIVE_STREAMS
REGISTRY = {rpc.name: rpc for rpc in REGISTRY_METHODS}
NUMBERS = itertools.count(1)
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


@pytest.fixture
def store_on(request: pytest.FixtureRequest, tmp_path: Any, worker_id: str) -> Iterator[Callable[..., Calls]]:
    """A function that opens an empty store on `sqlite` or `mariadb`."""
    with ExitStack() as stack:

        def opened(database: str, **options: Any) -> Calls:
            number = next(NUMBERS)
            url = f"sqlite:///{tmp_path}/{number}.db"
            if database == "mariadb":
                server: Address = request.getfixturevalue("mariadb")
                url = stack.enter_context(server.database(f"archive_{worker_id}_{number}"))
            store = Store.open(url, StoreOptions(**options))
            stack.callback(store.close)
            return Calls(store)

        yield opened


def exported(call: Calls) -> list[v1.ExportResponse]:
    return list(call.store.stream(EXPORT, LOCAL, v1.ExportRequest()))


def begun(call: Calls, archive: list[v1.ExportResponse]) -> tuple[str, int]:
    """Begin an import and add every message; return its id and how many there are."""
    import_id = call("BeginImport", header=archive[0].header).import_id
    for number, message in enumerate(archive[1:], 1):
        call("AddToImport", import_id=import_id, number=number, rows=message.rows)
    return import_id, len(archive) - 1


def imported(call: Calls, archive: list[v1.ExportResponse], **fields: Any) -> dict[str, v1.ImportedTable]:
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


PAIRS = [("sqlite", "sqlite"), ("sqlite", "mariadb"), ("mariadb", "sqlite"), ("mariadb", "mariadb")]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_an_empty_store_becomes_the_same_store(store_on: Callable[..., Calls], source: str, target: str) -> None:
    before, after = store_on(source), store_on(target)
    furnish(before)
    archive = exported(before)
    answer = imported(after, archive)
    assert answer["Artifact"].added == answer["Artifact"].rows == 15
    assert answer["Artifact"].renumbered == 0
    there, here = everything(before), everything(after)
    if source == target:
        assert here == there
    assert {name: len(found) for name, found in here.items() if "exact" not in name and "Property" not in name} == {
        name: len(found) for name, found in there.items() if "exact" not in name and "Property" not in name
    }
    for kind in ("Artifacts", "Executions", "Contexts"):
        assert call_repr(after, f"Get{kind}") == call_repr(before, f"Get{kind}")
    assert settled(imported(after, archive))
    assert everything(after) == here


def call_repr(call: Calls, method: str) -> str:
    return repr(call(method))  # NaN is not equal to itself, its text is


@pytest.mark.parametrize("database", ["sqlite", "mariadb"])
def test_an_archive_of_this_very_store_changes_nothing(store_on: Callable[..., Calls], database: str) -> None:
    call = store_on(database)
    furnish(call)
    archive = exported(call)
    changed = node(pb.Artifact, {"span": 77}, type_id=10, id=1, uri="changed")
    call("PutArtifacts", artifacts=[changed])
    before = everything(call)
    assert settled(imported(call, archive))
    assert everything(call) == before


@pytest.mark.parametrize("database", ["sqlite", "mariadb"])
def test_ids_that_are_taken_are_given_anew_and_followed_everywhere(
    store_on: Callable[..., Calls], database: str
) -> None:
    before, after = store_on(database), store_on(database)
    furnish(before)
    other = after("PutArtifactType", artifact_type=pb.ArtifactType(name="Other")).type_id
    after("PutArtifacts", artifacts=[pb.Artifact(type_id=other, uri=f"mine {n}") for n in range(3)])
    answer = imported(after, exported(before))
    assert (answer["Artifact"].added, answer["Artifact"].renumbered) == (15, 3)
    artifacts = after("GetArtifacts").artifacts
    assert [artifact.uri for artifact in artifacts[:3]] == ["mine 0", "mine 1", "mine 2"]
    named = {artifact.name: artifact for artifact in artifacts if artifact.name}
    assert named["d1"].id > 15
    assert named["m1"].id in (4, 5)
    events = after("GetEventsByArtifactIDs", artifact_ids=[named["d1"].id]).events
    expected = before("GetEventsByArtifactIDs", artifact_ids=[1]).events
    assert [(e.execution_id, e.type, e.path) for e in events] == [(e.execution_id, e.type, e.path) for e in expected]
    assert after("ListSeries", owners=[{"artifact_id": named["d1"].id}]).series[0].points == 4
    (found,) = after("GetEvaluations", owners=[{"artifact_id": named["d1"].id}]).evaluations
    assert list(found.matrix.counts) == [3, 1, 2, 4]
    assert after("ResolveVersion", type_name="Dataset", name="churn", alias="good").version.number == 2


@pytest.mark.parametrize("database", ["sqlite", "mariadb"])
def test_what_grew_is_added_the_next_time(store_on: Callable[..., Calls], database: str) -> None:
    before, after = store_on(database), store_on(database)
    furnish(before)
    imported(after, exported(before))
    (more,) = before("PutArtifacts", artifacts=[node(pb.Artifact, custom={"n": 1}, type_id=13)]).artifact_ids
    before("PutEvents", events=[pb.Event(artifact_id=more, execution_id=1, type=pb.Event.OUTPUT)])
    before("AddVersion", type_name="Dataset", name="churn", artifact=b"")
    before("MoveAlias", type_name="Dataset", name="churn", alias="good", number=4)
    answer = imported(after, exported(before))
    assert (answer["Artifact"].added, answer["Event"].added, answer["mlmd_versions"].added) == (2, 1, 1)
    assert answer["mlmd_alias_moves"].added == 1
    assert after("ResolveVersion", type_name="Dataset", name="churn", alias="good").version.number == 4
    assert after("AddVersion", type_name="Dataset", name="churn", artifact=b"").version.number == 5


def test_a_collection_that_went_on_by_itself_is_not_overwritten(store_on: Callable[..., Calls]) -> None:
    before, after = store_on("sqlite"), store_on("sqlite")
    furnish(before)
    imported(after, exported(before))
    for call, uri in ((before, b"\x2a\x01a"), (after, b"\x2a\x01b")):
        call("AddVersion", type_name="Dataset", name="churn", artifact=pb.Artifact(uri=str(uri)).SerializeToString())
    kept = everything(after)
    import_id, count = begun(after, exported(before))
    assert after.code("CommitImport", import_id=import_id, count=count) is Code.ALREADY_EXISTS
    assert everything(after) == kept


@pytest.mark.parametrize("database", ["sqlite", "mariadb"])
def test_contexts_of_one_name_are_shared_and_other_names_are_conflicts(
    store_on: Callable[..., Calls], database: str
) -> None:
    before, after = store_on(database), store_on(database)
    for call in (before, after):
        pipeline = call("PutContextType", context_type=pb.ContextType(name="Pipeline")).type_id
        data = call("PutArtifactType", artifact_type=pb.ArtifactType(name="Data")).type_id
        call("PutContexts", contexts=[node(pb.Context, custom={"who": str(id(call))}, type_id=pipeline, name="p")])
    before("PutArtifacts", artifacts=[pb.Artifact(type_id=data, name="theirs")])
    before("PutAttributionsAndAssociations", attributions=[pb.Attribution(context_id=1, artifact_id=1)])
    answer = imported(after, exported(before))
    assert (answer["Context"].added, answer["Artifact"].added, answer["Attribution"].added) == (0, 1, 1)
    (context,) = after("GetContexts").contexts
    assert context.custom_properties["who"].string_value == str(id(after))
    third = store_on(database)
    data = third("PutArtifactType", artifact_type=pb.ArtifactType(name="Data")).type_id
    third("PutArtifacts", artifacts=[pb.Artifact(type_id=data, name="theirs", uri="elsewhere")])
    import_id, count = begun(third, exported(before))
    assert "'theirs' of type 'Data'" in third.message("CommitImport", import_id=import_id, count=count)


@pytest.mark.parametrize("database", ["sqlite", "mariadb"])
def test_nodes_that_come_home_are_recognised_and_bring_what_they_got(
    store_on: Callable[..., Calls], database: str
) -> None:
    home, away = store_on(database), store_on(database)
    other = away("PutArtifactType", artifact_type=pb.ArtifactType(name="Other")).type_id
    away("PutArtifacts", artifacts=[pb.Artifact(type_id=other, uri=f"theirs {n}") for n in range(3)])
    furnish(home)
    imported(away, exported(home))
    known = {node.origin_id: node.id for node in find(away, home, artifact_ids=[1, 2]).artifacts}
    assert known[1] != 1
    away("PutArtifacts", artifacts=[node(pb.Artifact, custom={"n": 1}, type_id=other, uri="made there")])
    away("AddVersion", type_name="Dataset", name="churn", artifact=b"")
    away("MoveAlias", type_name="Dataset", name="churn", alias="good", number=4)
    log(away, series(known[1], "seen away", [0.5, 0.25]))
    before = everything(home)
    answer = imported(home, exported(away))
    assert [answer[name].added for name in ("Artifact", "Execution", "Context")] == [5, 0, 0]
    after = everything(home)
    assert [row for row in after["ArtifactProperty"] if row in before["ArtifactProperty"]] == before["ArtifactProperty"]
    assert home("ResolveVersion", type_name="Dataset", name="churn", alias="good").version.number == 4
    assert home("AddVersion", type_name="Dataset", name="churn", artifact=b"").version.number == 5
    names = {one.key.name for one in home("ListSeries", owners=[{"artifact_id": 1}]).series}
    assert names == {"loss", "seen away"}
    kept = everything(home)
    assert settled(imported(home, exported(away)))
    assert everything(home) == kept
    assert {node.origin_id: node.id for node in find(home, away, artifact_ids=[known[1]]).artifacts} == {known[1]: 1}


def find(call: Calls, origin: Calls, **ids: list[int]) -> Any:
    """Ask a store what nodes of another one are in it."""
    return call("FindImported", store_uuid=exported(origin)[0].header.store_uuid, **ids)


def test_a_store_knows_what_reaches_it_by_two_ways(store_on: Callable[..., Calls]) -> None:
    first, second, third = (store_on("sqlite") for _ in range(3))
    furnish(first)
    imported(second, exported(first))
    imported(third, exported(second))
    kept = everything(third)
    assert settled(imported(third, exported(first)))
    assert everything(third) == kept
    assert settled(imported(first, exported(third))), "it comes home by a way that it did not go"
    assert settled(imported(second, exported(third)))


def test_what_was_purged_here_is_not_brought_back(store_on: Callable[..., Calls]) -> None:
    before, after = store_on("sqlite"), store_on("sqlite")
    furnish(before)
    imported(after, exported(before))

    def purge(tx: Transaction) -> None:
        request = admin.PurgeRequest(kind=admin.NODE_KIND_ARTIFACT, ids=[2])
        purge_facts(tx, choose(tx, request, locked=True), "consent withdrawn")

    after.store.database.write(LOCAL, purge)
    kept = everything(after)
    assert settled(imported(after, exported(before)))
    assert everything(after) == kept


def test_an_archive_of_an_earlier_state_of_this_store_adds_what_was_lost_once(store_on: Callable[..., Calls]) -> None:
    call = store_on("sqlite")
    data = call("PutArtifactType", artifact_type=pb.ArtifactType(name="Data")).type_id
    call("PutArtifacts", artifacts=[pb.Artifact(type_id=data, uri=f"u{n}") for n in range(3)])
    archive = exported(call)
    lost = [
        sa.text("DELETE FROM Artifact WHERE id = 3"),
        sa.text("UPDATE Artifact SET name = 'x', id = 3 WHERE id = 2"),
    ]
    call.store.database.write(LOCAL, lambda tx: [tx.execute(statement, {}) for statement in lost])
    assert imported(call, archive)["Artifact"].added == 2
    assert settled(imported(call, archive))


def test_more_ids_than_a_call_takes_are_refused(store_on: Callable[..., Calls]) -> None:
    call = store_on("sqlite")
    assert "1001 ids" in call.message("FindImported", store_uuid="x", artifact_ids=range(1, 1002))
    assert call("FindImported", store_uuid="x", artifact_ids=[1], execution_ids=[1], context_ids=[1]).artifacts == []


def test_ids_within_kubeflows_properties_and_names_follow(store_on: Callable[..., Calls]) -> None:
    before, after = store_on("sqlite"), store_on("sqlite")
    for call, tag in ((before, "a"), (after, "b")):
        dag = call("PutExecutionType", execution_type=pb.ExecutionType(name="system.DAGExecution")).type_id
        call("PutExecutions", executions=[pb.Execution(type_id=dag, name=f"run/{tag}")])
        child = node(pb.Execution, custom={"parent_dag_id": 1, "cached_execution_id": "1"}, type_id=dag)
        call("PutExecutions", executions=[child])
        model = call("PutContextType", context_type=pb.ContextType(name="kf.RegisteredModel")).type_id
        version = call("PutContextType", context_type=pb.ContextType(name="kf.ModelVersion")).type_id
        call("PutContexts", contexts=[pb.Context(type_id=model, name=f"model {tag}")])
        first = node(pb.Context, custom={"registered_model_id": 1}, type_id=version, name="1:v1")
        call("PutContexts", contexts=[first])
    imported(after, exported(before))
    executions = {execution.id: execution for execution in after("GetExecutions").executions}
    (parent,) = [number for number, execution in executions.items() if execution.name == "run/a"]
    moved = executions[max(executions)]
    assert parent not in (1, 2)
    assert moved.custom_properties["parent_dag_id"].int_value == parent
    assert moved.custom_properties["cached_execution_id"].string_value == str(parent)
    contexts = {context.name: context for context in after("GetContexts").contexts}
    model_id = contexts["model a"].id
    assert contexts[f"{model_id}:v1"].custom_properties["registered_model_id"].int_value == model_id


@pytest.mark.parametrize("database", ["sqlite", "mariadb"])
def test_a_trial_says_the_same_and_writes_nothing(store_on: Callable[..., Calls], database: str) -> None:
    before, after = store_on(database), store_on(database)
    furnish(before)
    empty = everything(after)
    import_id, count = begun(after, exported(before))
    tried = after("CommitImport", import_id=import_id, count=count, dry_run=True)
    assert everything(after) == empty
    assert after("CommitImport", import_id=import_id, count=count) == tried
    assert after.code("CommitImport", import_id=import_id, count=count) is Code.NOT_FOUND


@pytest.mark.parametrize(("source", "target"), [(True, False), (False, True)])
def test_googles_text_is_archived_as_text(store_on: Callable[..., Calls], source: bool, target: bool) -> None:
    before, after = store_on("mariadb", google_text=source), store_on("mariadb", google_text=target)
    before("PutArtifactType", artifact_type=pb.ArtifactType(name="Größe"))
    before("PutArtifacts", artifacts=[node(pb.Artifact, custom={"Länge": "Straße"}, type_id=10, name="ä")])
    for _ in range(2):
        imported(after, exported(before))
        (found,) = after("GetArtifacts").artifacts
        assert (found.type, found.name, found.custom_properties["Länge"].string_value) == ("Größe", "ä", "Straße")


def test_text_that_is_not_utf8_is_archived_as_its_bytes() -> None:
    row = ["\udcff\udcfe plain", b"\x00\xff", None, 5, 0.1, math.inf, "\u2028"]
    (back,) = rows_of(line_of(row), "abcdefg")
    assert back == row


@given(
    st.lists(st.none() | st.text() | st.binary() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False))
)
def test_every_row_comes_back_from_its_line(row: list[Any]) -> None:
    (back,) = rows_of(line_of(row), [str(place) for place in range(len(row))])
    assert back == row
    assert [type(value) for value in back] == [type(value) for value in row]


@pytest.mark.parametrize("line", [b"", b"[1", b"{}", b"[1]", b'[1, {"x": "y"}]', b'[1, {"b": "!"}]', b"1"])
def test_lines_that_are_no_rows_are_refused(line: bytes) -> None:
    with pytest.raises(InvalidArgument, match="line 1"):
        list(rows_of(line + b"\n", ("a", "b")))


def test_an_import_that_is_wrong_is_refused_with_the_reason(store_on: Callable[..., Calls]) -> None:
    before, after = store_on("sqlite"), store_on("sqlite")
    furnish(before)
    archive = exported(before)
    newer = v1.ArchiveHeader(format=2, schema_version=10, store_uuid="x")
    assert "header.format: 2" in after.message("BeginImport", header=newer)
    assert after.code("BeginImport", header=v1.ArchiveHeader(format=1, schema_version=9)) is Code.FAILED_PRECONDITION
    assert "not the UUID" in after.message("BeginImport", header=v1.ArchiveHeader(format=1, schema_version=10))
    import_id, count = begun(after, archive[:-1])
    assert "count:" in after.message("CommitImport", import_id=import_id, count=count + 1)
    wrong = {"import_id": import_id, "number": 9}
    assert "is no table" in after.message("AddToImport", **wrong, rows={"table": "mlmd_receipts"})
    assert "'x'" in after.message("AddToImport", **wrong, rows={"table": "Type", "columns": ["x"]})
    assert after.code("AddToImport", import_id="none", number=1) is Code.NOT_FOUND
    after("AbortImport", import_id=import_id)
    after("AbortImport", import_id=import_id)
    assert after.code("CommitImport", import_id=import_id, count=count) is Code.NOT_FOUND
    headless = [archive[0], *(message for message in archive[1:] if message.rows.table != "Execution")]
    import_id, count = begun(after, headless)
    assert "does not hold it" in after.message("CommitImport", import_id=import_id, count=count)
    assert after("GetArtifacts").artifacts == []


def test_a_message_may_be_added_again(store_on: Callable[..., Calls]) -> None:
    before, after = store_on("sqlite"), store_on("sqlite")
    furnish(before)
    archive = exported(before)
    import_id, count = begun(after, archive)
    after("AddToImport", import_id=import_id, number=1, rows=archive[1].rows)
    after("CommitImport", import_id=import_id, count=count)
    assert everything(after) == everything(before)


def test_an_export_is_one_snapshot(store_on: Callable[..., Calls]) -> None:
    call = store_on("sqlite")
    build(call)
    stream = call.store.stream(EXPORT, LOCAL, v1.ExportRequest())
    next(stream)
    next(stream)
    call("PutArtifacts", artifacts=[pb.Artifact(type_id=13, uri="later")])
    artifacts = [message.rows for message in stream if message.rows.table == "Artifact"]
    assert sum(message.row_count for message in artifacts) == 8


def test_statements_do_not_grow_with_rows(store_on: Callable[..., Calls]) -> None:
    counts = []
    for nodes in (10, 1000):
        before, after = store_on("sqlite"), store_on("sqlite")
        data = before("PutArtifactType", artifact_type=pb.ArtifactType(name="Data")).type_id
        made = [node(pb.Artifact, custom={"n": n, "t": "x"}, type_id=data, name=f"n{n}") for n in range(nodes)]
        before("PutArtifacts", artifacts=made)
        import_id, count = begun(after, exported(before))
        with counted(after.store) as statements:
            after("CommitImport", import_id=import_id, count=count)
        counts.append(len(statements))
    assert counts[0] == counts[1]
