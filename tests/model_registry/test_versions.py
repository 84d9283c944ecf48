"""Versions of models: numbers, names, the run's own artifact, what Kubeflow's API would see."""

import contextlib
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest
from mlmd_artifact_store.upload_rows import Upload, UploadState, drop_upload, insert_upload
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_model_registry.models import find_model
from mlmd_model_registry.version_reads import find_version
from mlmd_model_registry.versions import attach_artifact, create_version
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from tests.metadata_store.calls import counted, node
from tests.model_registry.conftest import Registry


def test_an_artifact_of_google_s_whose_text_is_not_utf_8(sqlite_url: str) -> None:
    with contextlib.closing(Store.open(sqlite_url)) as store:
        registry = Registry(store)
        artifact, other = registry.run("s3://a"), registry.run("s3://b", type_name="Model")
        with contextlib.closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as raw, raw:
            raw.execute("UPDATE Artifact SET uri = CAST(X'ff' AS TEXT) WHERE id = ?", (artifact,))
            raw.execute("UPDATE Type SET name = CAST(X'ff' AS TEXT) WHERE name = 'Model'")
        error = registry.error("CreateModelVersion", model="m", create_model=True, artifact_id=artifact)
        assert error.code is Code.FAILED_PRECONDITION
        assert "is not UTF-8" in error.message
        assert registry.version("m", artifact_id=other).uri == "s3://b"


def test_a_version_is_one_hop_from_its_run(registry: Registry) -> None:
    artifact = registry.run("s3://models/fraud/1", auc=0.93)
    made = registry.version(artifact_id=artifact, description="first", format={"name": "onnx", "version": "1"})
    assert (made.number, made.name, made.artifact_id, made.uri) == (1, "1", artifact, "s3://models/fraud/1")
    assert (made.author, made.subject, made.description) == ("local", "local", "first")
    (context,) = registry("GetContextsByType", type_name="kf.ModelVersion").contexts
    assert (context.id, context.name) == (made.id, f"{made.model_id}:1")
    texts = {name: value.string_value for name, value in context.properties.items() if value.string_value}
    assert texts == {
        "description": "first", "author": "local", "state": "LIVE", "model_name": "fraud", "version": "1",
    }  # fmt: skip
    assert context.properties["registered_model_id"].int_value == made.model_id
    (parent,) = registry("GetParentContextsByContext", context_id=made.id).contexts
    assert parent.id == made.model_id
    attributed = registry("GetArtifactsByContext", context_id=made.id).artifacts
    assert [node.id for node in attributed] == [artifact, made.model_artifact_id]
    shown = attributed[1]
    assert (shown.type, shown.name, shown.uri) == ("kf.ModelArtifact", f"{made.id}:fraud", "s3://models/fraud/1")
    assert shown.properties["model_format_name"].string_value == "onnx"
    assert not registry("GetEventsByArtifactIDs", artifact_ids=[shown.id]).events, "no second node of the lineage"
    assert registry("GetEventsByArtifactIDs", artifact_ids=[artifact]).events


def test_numbers_have_no_gaps_and_names_are_the_numbers(registry: Registry) -> None:
    assert [registry.version().name for _ in range(3)] == ["1", "2", "3"]
    assert registry.code("CreateModelVersion", model="fraud", artifact_id=10**6) is Code.NOT_FOUND
    assert registry.version().number == 4
    assert registry("GetModel", model="fraud").model.latest_number == 4
    assert [v.number for v in registry("ListModelVersions", model="fraud").versions] == [4, 3, 2, 1]


def test_names_are_unique_in_a_model_and_found_before_numbers(registry: Registry) -> None:
    registry.version(name="blue")
    assert registry.version(name="2024/ü").name == "2024/ü"
    taken = registry.error("CreateModelVersion", model="fraud", name="blue", uri="s3://b/other")
    assert (taken.code, "'blue'" in taken.message) == (Code.ALREADY_EXISTS, True)
    assert registry.version("other", name="blue").number == 1
    get = registry("GetModelVersion", model="fraud", version="2").version
    assert (get.number, get.name) == (2, "2024/ü")
    assert registry("GetModelVersion", model="fraud", version="blue").version.number == 1
    refused = registry.error("CreateModelVersion", model="fraud", name="7", uri="s3://b/seven")
    assert refused.code is Code.INVALID_ARGUMENT
    for version in ("3", "red", "0", "١"):
        assert registry.code("GetModelVersion", model="fraud", version=version) is Code.NOT_FOUND
    assert registry.code("GetModelVersion", model="fraud", version="") is Code.INVALID_ARGUMENT
    assert registry.code("GetModelVersion", model="fraud") is Code.INVALID_ARGUMENT


def test_a_number_that_is_somebodys_name_gets_a_v(registry: Registry) -> None:
    """Through Kubeflow's API a version may be named "2" before there is a second one."""
    registry("CreateModel", name="fraud")

    def named_by_kubeflow(tx: Transaction) -> int:
        return create_version(tx, find_model(tx, "fraud"), "2", pb.Context()).number

    assert registry.store.database.write(LOCAL, named_by_kubeflow) == 1
    second = registry.version()
    assert (second.number, second.name) == (2, "v2")
    assert registry("GetModelVersion", model="fraud", version="2").version.number == 1, "the name, else the number"


def test_a_uri_finds_the_runs_artifact(registry: Registry) -> None:
    artifact = registry.run("s3://models/fraud/1")
    assert registry.version(uri="s3://models/fraud/1").artifact_id == artifact
    alone = registry.version(uri="s3://elsewhere/model")
    assert alone.artifact_id == alone.model_artifact_id, "nothing made it that the store knows of"
    for uri in ("", "models/fraud", "s3://b/a b"):
        assert registry.code("CreateModelVersion", model="fraud", uri=uri) is Code.INVALID_ARGUMENT


def test_one_artifact_is_one_version_of_a_model(registry: Registry) -> None:
    artifact = registry.run("s3://models/fraud/1")
    registry.version(artifact_id=artifact)
    again = registry.error("CreateModelVersion", model="fraud", artifact_id=artifact)
    assert (again.code, "version 1" in again.message) == (Code.ALREADY_EXISTS, True)
    assert registry.version("production-fraud", artifact_id=artifact).artifact_id == artifact


def test_versions_of_one_number_in_two_models_keep_their_own_artifacts(registry: Registry) -> None:
    made = {model: registry.version(model).artifact_id for model in ("fraud", "churn", "spam")}
    assert len(set(made.values())) == 3
    for model, artifact in made.items():
        version = registry("GetModelVersion", model=model, version="1").version
        assert (version.artifact_id, version.uri.split("/")[3]) == (artifact, model)
        registry("MoveModelAlias", model=model, alias="champion", version="1")
        (event,) = registry("GetEventsByArtifactIDs", artifact_ids=[artifact]).events
        assert event.type == pb.Event.OUTPUT, "it is the one that a run made"


def test_artifacts_that_cannot_become_versions(registry: Registry) -> None:
    made = registry.version()
    assert (
        registry.code("CreateModelVersion", model="fraud", artifact_id=made.model_artifact_id) is Code.INVALID_ARGUMENT
    )
    assert registry.code("CreateModelVersion", model="fraud") is Code.INVALID_ARGUMENT
    assert registry.code("CreateModelVersion", model="nope", uri="s3://b/x") is Code.NOT_FOUND
    nowhere = registry.run("")
    assert registry.code("CreateModelVersion", model="fraud", artifact_id=nowhere) is Code.FAILED_PRECONDITION
    gone = registry.run("s3://b/gone")
    registry("PutArtifacts", artifacts=[pb.Artifact(id=gone, uri="s3://b/gone", state=pb.Artifact.DELETED)])
    refused = registry.error("CreateModelVersion", model="fraud", artifact_id=gone)
    assert (refused.code, "DELETED" in refused.message) == (Code.FAILED_PRECONDITION, True)
    assert registry.code("CreateModelVersion", model="fraud", uri="s3://b/x", signature="{") is Code.INVALID_ARGUMENT
    sending = registry.run("s3://b/sending")
    begin_upload(registry, sending)
    assert registry.error("CreateModelVersion", model="fraud", artifact_id=sending).message == (
        f"artifact_id: the upload of artifact {sending} is not finished, so nobody could fetch it; commit it first."
    )
    assert registry("GetModel", model="fraud").model.latest_number == 1


def begin_upload(registry: Registry, artifact_id: int) -> None:
    """Leave an artifact as one whose upload was begun."""
    registry("PutArtifacts", artifacts=[pb.Artifact(id=artifact_id, uri="s3://b/sending", state=pb.Artifact.PENDING)])
    upload = Upload(artifact_id, UploadState.PENDING, "s3://b/sending", "p", 0, 0, b"", "", "", 1)
    registry.store.database.write(LOCAL, lambda tx: insert_upload(tx, upload))


def test_a_version_whose_upload_is_not_finished_is_not_promoted(registry: Registry) -> None:
    made = registry.version()
    begin_upload(registry, made.artifact_id)
    refused = registry.error("MoveModelAlias", model="fraud", alias="champion", version="1")
    assert refused.code is Code.FAILED_PRECONDITION
    assert f"the upload of artifact {made.artifact_id} is not finished" in refused.message
    registry.store.database.write(LOCAL, lambda tx: drop_upload(tx, made.artifact_id))
    assert registry("MoveModelAlias", model="fraud", alias="champion", version="1").move.to_number == 1


def test_a_version_made_as_kubeflows_api_does_gets_a_number_and_its_run(registry: Registry) -> None:
    artifact = registry.run("s3://models/fraud/9")
    registry("CreateModel", name="fraud")

    def first(tx: Transaction) -> int:
        given = node(pb.Context, {"author": "ana"}, {"stage": "x"})
        return create_version(tx, find_model(tx, "fraud"), "blue", given).id

    def second(tx: Transaction) -> None:
        version = find_version(tx, find_model(tx, "fraud"), "blue")
        attach_artifact(tx, version, pb.Artifact(name="weights", uri="s3://models/fraud/9"))

    registry.store.database.write(LOCAL, first)
    bare = registry("GetModelVersion", model="fraud", version="1").version
    assert (bare.number, bare.name, bare.uri, bare.artifact_id) == (1, "blue", "", 0)
    registry.store.database.write(LOCAL, second)
    whole = registry("GetModelVersion", model="fraud", version="blue").version
    assert (whole.uri, whole.artifact_id, whole.author) == ("s3://models/fraud/9", artifact, "ana")
    assert dict(whole.tags) == {"stage": "x"}
    assert registry("GetArtifactsByContext", context_id=whole.id).artifacts[1].name == f"{whole.id}:weights"


def test_versions_that_another_server_wrote_get_numbers_when_the_model_is_used(registry: Registry) -> None:
    types = registry(
        "PutTypes",
        context_types=[
            pb.ContextType(name="kf.RegisteredModel"),
            pb.ContextType(name="kf.ModelVersion"),
        ],
        artifact_types=[pb.ArtifactType(name="kf.ModelArtifact")],
    )
    model_type, version_type = types.context_type_ids
    (model,) = registry("PutContexts", contexts=[pb.Context(type_id=model_type, name="old")]).context_ids
    contexts = [pb.Context(type_id=version_type, name=f"{model}:{name}") for name in ("a", "b")]
    ids = registry("PutContexts", contexts=contexts).context_ids
    registry("PutParentContexts", parent_contexts=[pb.ParentContext(child_id=i, parent_id=model) for i in ids])
    shown = pb.Artifact(type_id=types.artifact_type_ids[0], name=f"{ids[1]}:old", uri="s3://b/old")
    (artifact,) = registry("PutArtifacts", artifacts=[shown]).artifact_ids
    registry("PutAttributionsAndAssociations", attributions=[pb.Attribution(context_id=ids[1], artifact_id=artifact)])
    (stranger,) = registry("PutContexts", contexts=[pb.Context(type_id=model_type, name="stranger")]).context_ids
    theirs = [pb.Context(type_id=version_type, name=f"{stranger}:{name}") for name in "cde"]
    for child in registry("PutContexts", contexts=theirs).context_ids:
        registry("PutParentContexts", parent_contexts=[pb.ParentContext(child_id=child, parent_id=stranger)])
    listed = registry("ListModelVersions", model="old").versions
    assert [(v.name, v.number) for v in listed] == [("b", 0), ("a", 0)]
    assert registry("GetModel", model="old").model.latest_number == 0
    assert registry.version("old").number == 3
    assert [v.number for v in registry("ListModelVersions", model="stranger").versions] == [0, 0, 0]
    listed = registry("ListModelVersions", model="old").versions
    assert [(v.name, v.number) for v in listed] == [("3", 3), ("b", 2), ("a", 1)]
    assert (listed[1].uri, listed[1].model_artifact_id) == ("s3://b/old", artifact)


def test_only_what_is_set_changes(registry: Registry) -> None:
    registry.version(description="d", tags={"a": "1"}, signature='{"inputs": []}', format={"name": "onnx"})
    one = {"model": "fraud", "version": "1"}
    changed = registry("UpdateModelVersion", **one, description="e", tags={"set": {"b": "2"}, "remove": ["a"]}).version
    assert (changed.description, changed.author, dict(changed.tags)) == ("e", "local", {"b": "2"})
    assert (changed.signature, changed.format.name) == ('{"inputs": []}', "onnx")
    changed = registry("UpdateModelVersion", **one, format={"name": "tf"}, signature="").version
    assert (changed.format.name, changed.signature, changed.description) == ("tf", "", "e")
    assert registry.code("UpdateModelVersion", **one, signature="no json") is Code.INVALID_ARGUMENT


def test_archived_versions_are_out_of_the_list_and_of_latest(registry: Registry) -> None:
    for _ in range(3):
        registry.version()
    archived = registry("ArchiveModelVersion", model="fraud", version="3").version
    assert archived.state == v1.MODEL_STATE_ARCHIVED
    assert [v.number for v in registry("ListModelVersions", model="fraud").versions] == [2, 1]
    both = registry("ListModelVersions", model="fraud", include_archived=True, page_size=2)
    assert [v.number for v in both.versions] == [3, 2]
    rest = registry("ListModelVersions", model="fraud", include_archived=True, page_token=both.next_page_token)
    assert [v.number for v in rest.versions] == [1]
    assert registry("GetModelVersion", model="fraud", alias="latest").version.number == 2
    registry("RestoreModelVersion", model="fraud", version="3")
    assert registry("GetModelVersion", model="fraud", alias="latest").version.number == 3


def test_sixteen_writers_get_sixteen_numbers(registry: Registry) -> None:
    registry("CreateModel", name="fraud")

    def make(number: int) -> int:
        made = registry("CreateModelVersion", model="fraud", uri=f"s3://b/{number}").version
        return int(made.number)

    with ThreadPoolExecutor(16) as pool:
        numbers = sorted(pool.map(make, range(16)))
    assert numbers == list(range(1, 17))


def test_approvals_are_of_persons_and_can_be_taken_back(registry: Registry) -> None:
    registry.version()
    one = {"model": "fraud", "version": "1"}
    registry.as_("bo")("ApproveModelVersion", **one, reason="fine")
    approved = registry.as_("ana")("ApproveModelVersion", **one, reason="looked at it").version
    assert sorted(a.subject for a in approved.approvals) == ["ana", "bo"]
    again = registry.as_("ana")("ApproveModelVersion", **one, reason="again").version
    assert {a.subject: a.reason for a in again.approvals} == {"ana": "again", "bo": "fine"}
    left = registry.as_("bo")("ApproveModelVersion", **one, withdraw=True).version
    assert [a.subject for a in left.approvals] == ["ana"]
    assert registry.as_("bo").code("ApproveModelVersion", **one, withdraw=True) is Code.NOT_FOUND
    assert registry.as_("").code("ApproveModelVersion", **one) is Code.FAILED_PRECONDITION


@pytest.mark.parametrize("method", ["ListModelVersions", "ListModels"])
def test_the_statements_of_a_list_do_not_grow(registry: Registry, method: str) -> None:
    counts = []
    for rounds in (1, 9):
        for _ in range(rounds):
            registry.version()
            registry.version(f"other {registry('GetModel', model='fraud').model.latest_number}")
        with counted(registry.store) as statements:
            registry(method, **({"model": "fraud"} if method == "ListModelVersions" else {}))
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 14
