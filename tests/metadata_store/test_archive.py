"""Archives: whatever a store holds comes out, goes into another one, and changes nothing the second time."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from mlmd_metadata_store import archive_export
from mlmd_metadata_store.archive_lines import rows_of
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import archive_pb2 as v1
from mlmd_schemas.tables.own import FILE, MANIFEST

from tests.metadata_store.archives import EXPORT, begun, everything, exported, furnish, imported, settled
from tests.metadata_store.calls import Calls, counted, node
from tests.metadata_store.fixture import build

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


def test_a_look_for_links_reads_those_of_its_batch_alone(
    store_on: Callable[..., Calls], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = store_on("sqlite"), store_on("sqlite")
    linked = _link_all_to_one(before, 4_500)
    imported(after, exported(before))
    read = _rows_read(monkeypatch)
    again = imported(after, exported(before))
    assert {name: (again[name].present, read[name]) for name in linked} == dict.fromkeys(linked, (4_500, 4_500))


@pytest.mark.parametrize("database", ["sqlite", "mariadb"])
def test_artifacts_of_many_files_are_read_a_page_at_a_time(
    store_on: Callable[..., Calls], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = store_on(database), store_on(database)
    paths = _keep_files(before, [4_500, 1, 0, 2_000, 3_000])
    pages: list[int] = []
    pages_of_pairs = archive_export._pages_of_pairs

    def noted(tx: Transaction, archived: Any) -> Iterator[list[Any]]:
        for page in pages_of_pairs(tx, archived):
            pages.append(len(page))
            yield page

    monkeypatch.setattr(archive_export, "_pages_of_pairs", noted)
    archive = exported(before)
    lines = b"".join(message.rows.lines for message in archive if message.rows.table == "mlmd_files")
    assert [row[:2] for row in rows_of(lines, [column.name for column in FILE.columns])] == paths
    assert max(pages) < 2 * archive_export.ROWS_PER_PAGE
    imported(after, archive)
    read = _rows_read(monkeypatch)
    again = imported(after, archive)["mlmd_files"]
    assert (again.present, again.added, read["mlmd_files"]) == (len(paths), 0, len(paths))


def _keep_files(call: Calls, counts: list[int]) -> list[list[Any]]:
    """Make artifacts of so many files each; return ids and paths in their order."""
    data = call("PutArtifactType", artifact_type=pb.ArtifactType(name="Data")).type_id
    ids = call("PutArtifacts", artifacts=[pb.Artifact(type_id=data)] * len(counts)).artifact_ids
    paths = [[artifact, b"%06d" % number] for artifact, many in zip(ids, counts, strict=True) for number in range(many)]

    def body(tx: Transaction) -> None:
        manifests = [(artifact, f"s3://b/{artifact}/", "", 0, 1, 1, b"", 1) for artifact in ids]
        tx.insert(MANIFEST, [column.name for column in MANIFEST.columns], manifests)
        tx.insert(FILE, [column.name for column in FILE.columns], [(*path, 1, b"", 0, "", "") for path in paths])

    call.store.database.write(LOCAL, body)
    return paths


def _rows_read(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Return what counts the rows that are read by their ids from now on, by table."""
    read: Counter[str] = Counter()
    rows_in = Transaction.rows_in

    def counting(tx: Transaction, statement: Any, *arguments: Any, **parameters: Any) -> list[Any]:
        found = rows_in(tx, statement, *arguments, **parameters)
        read[statement.get_final_froms()[0].name] += len(found)
        return found

    monkeypatch.setattr(Transaction, "rows_in", counting)
    return read


def _link_all_to_one(call: Calls, number: int) -> tuple[str, ...]:
    """Make nodes of one context, and executions that all read one of the artifacts; return their links."""
    data = call("PutArtifactType", artifact_type=pb.ArtifactType(name="Data")).type_id
    train = call("PutExecutionType", execution_type=pb.ExecutionType(name="Train")).type_id
    group = call("PutContextType", context_type=pb.ContextType(name="Group")).type_id
    (context,) = call("PutContexts", contexts=[pb.Context(type_id=group, name="all")]).context_ids
    artifacts = call("PutArtifacts", artifacts=[pb.Artifact(type_id=data)] * number).artifact_ids
    executions = call("PutExecutions", executions=[pb.Execution(type_id=train)] * number).execution_ids
    call(
        "PutAttributionsAndAssociations",
        attributions=[pb.Attribution(context_id=context, artifact_id=artifact) for artifact in artifacts],
        associations=[pb.Association(context_id=context, execution_id=execution) for execution in executions],
    )
    read = [pb.Event(artifact_id=artifacts[0], execution_id=execution, type=pb.Event.INPUT) for execution in executions]
    call("PutEvents", events=read)
    return "Attribution", "Association", "Event"
