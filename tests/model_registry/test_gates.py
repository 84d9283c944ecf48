"""Gates: what a version must meet before an alias may point at it, judged by what the store knows."""

import math
from decimal import Decimal
from typing import Any

import pytest
from mlmd_metadata_store.transaction import Transaction
from mlmd_model_registry.gate_rules import ApprovedBy, Comparison, EvaluatedOn, FilesVerified, Rule, parse_rule
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Code, InvalidArgument, StoreError
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import metrics_pb2
from mlmd_schemas.tables.own import FILE, MANIFEST

from tests.metadata_store.calls import node
from tests.model_registry.conftest import Registry

CHAMPION: dict[str, Any] = {"model": "fraud", "alias": "champion"}


def with_auc(registry: Registry, *numbers: float) -> None:
    """Make a version for each number, whose artifact has it as its auc."""
    for number in numbers:
        artifact = registry.run(f"s3://m/{number}/{registry._next()}", auc=number)
        registry.version(artifact_id=artifact)


def gate(registry: Registry, *rules: str, alias: str = "champion") -> None:
    registry("SetModelGates", model="fraud", alias=alias, rules=rules)


def passes(registry: Registry, version: str, rule: str) -> tuple[bool, str]:
    (outcome,) = registry("CheckModelGates", **CHAMPION, version=version, rules=[rule]).gates
    return outcome.passed, outcome.detail


def comparison(text: str) -> Comparison:
    rule = parse_rule(text)
    assert isinstance(rule, Comparison)
    return rule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("auc >= 0.91", Comparison("auc", ">=", Decimal("0.91"))),
        ("auc>=.91", Comparison("auc", ">=", Decimal("0.91"))),
        ("  loss < 1e-3 ", Comparison("loss", "<", Decimal("0.001"))),
        ('"val auc" > -0.5', Comparison("val auc", ">", Decimal("-0.5"))),
        ("auc >= champion", Comparison("auc", ">=", Decimal("0"), "champion")),
        ("auc >= champion - 0.01", Comparison("auc", ">=", Decimal("-0.01"), "champion")),
        ('test[a]/auc <= "my alias"+0.5', Comparison("test[a]/auc", "<=", Decimal("0.5"), "my alias")),
        ("evaluated on s3://b/holdout", EvaluatedOn("s3://b/holdout")),
        ('evaluated on "a b"', EvaluatedOn("a b")),
        ("files  verified", FilesVerified()),
        ("approved by 2", ApprovedBy(2)),
    ],
)
def test_what_can_be_said(text: str, rule: Rule) -> None:
    assert parse_rule(text) == rule


@pytest.mark.parametrize(
    "text",
    ["", "auc", "auc >=", "auc == 1", "auc >= 1 - 1", "auc >= latest", ">= 1", "approved by 0", "approved by 101",
     "approved by me", "files", "evaluated on", "auc >= champion -", "auc >= champion - x", "x" * 1001, "a\n>= 1"],
)  # fmt: skip
def test_what_is_no_rule(text: str) -> None:
    with pytest.raises(StoreError) as refused:
        parse_rule(text)
    assert refused.value.code is Code.INVALID_ARGUMENT


def test_people_reckon_in_decimals() -> None:
    assert comparison("auc >= champion - 0.1").holds(0.2, 0.3)
    assert not comparison("auc > champion - 0.1").holds(0.2, 0.3)
    assert comparison("loss <= champion + 0.1").holds(0.3, 0.2)
    for rule in ("x >= 0", "x < 0"):
        assert not comparison(rule).holds(math.nan)
    assert comparison("x >= 0").holds(math.inf)
    assert not comparison("x <= champion + 1e9999999").holds(0.5, 0.4)


@pytest.mark.parametrize("text", ["x >= 1e99999999999999999999", "x >= champion - 1e99999999999999999999"])
def test_a_number_beyond_all_numbers_is_no_rule(text: str) -> None:
    with pytest.raises(InvalidArgument, match="is no rule"):
        parse_rule(text)


def test_a_threshold_refuses_and_the_outcome_is_kept_with_the_move(registry: Registry) -> None:
    with_auc(registry, 0.95, 0.90)
    gate(registry, "auc >= 0.91")
    refused = registry.error("MoveModelAlias", **CHAMPION, version="2")
    assert refused.code is Code.FAILED_PRECONDITION
    assert "auc >= 0.91: auc is 0.9" in refused.message
    moved = registry("MoveModelAlias", **CHAMPION, version="1").move
    assert [(g.rule, g.passed, g.detail) for g in moved.gates] == [("auc >= 0.91", True, "auc is 0.95")]
    assert not moved.overridden
    assert registry("ListModelAliasMoves", model="fraud").moves[0] == moved
    assert registry("MoveModelAlias", model="fraud", alias="candidate", version="2").move.to_number == 2


def test_an_override_needs_a_reason_and_shows(registry: Registry) -> None:
    with_auc(registry, 0.5)
    gate(registry, "auc >= 0.91")
    wanted = {**CHAMPION, "version": "1", "override_gates": True}
    assert registry.code("MoveModelAlias", **wanted, reason="  ") is Code.INVALID_ARGUMENT
    moved = registry("MoveModelAlias", **wanted, reason="there is no other").move
    assert (moved.overridden, moved.gates[0].passed, moved.reason) == (True, False, "there is no other")
    assert registry("ListModelAliasMoves", model="fraud").moves[0].overridden
    gate(registry)
    assert not registry("MoveModelAlias", **wanted, reason="again").move.overridden, "nothing was there to override"


def test_not_worse_than_the_champion_by_more_than(registry: Registry) -> None:
    with_auc(registry, 0.95, 0.94, 0.93)
    gate(registry, "auc >= champion - 0.01")
    first = registry("MoveModelAlias", **CHAMPION, version="1").move
    assert (first.gates[0].passed, "no 'champion'" in first.gates[0].detail) == (True, True)
    assert registry.code("MoveModelAlias", **CHAMPION, version="3") is Code.FAILED_PRECONDITION
    second = registry("MoveModelAlias", **CHAMPION, version="2").move
    assert second.gates[0].detail == "auc is 0.94, that of 'champion', version 1, 0.95"
    registry("MoveModelAlias", **CHAMPION, version="3")
    registry.version()
    refused = registry.error("MoveModelAlias", **CHAMPION, version="4")
    assert "no metric 'auc' is recorded" in refused.message


def test_a_metric_that_is_not_there_is_told_with_those_that_are(registry: Registry) -> None:
    with_auc(registry, 0.95)
    assert passes(registry, "1", "f1 >= 0.5") == (False, "no metric 'f1' is recorded; there are 'auc'")
    registry.version()
    assert passes(registry, "2", "f1 >= 0.5") == (False, "no metric 'f1' is recorded, nor any other")


def evaluate(registry: Registry, model: int, *inputs: int, **scalars: float) -> int:
    """Record an execution that read a model and other artifacts and wrote a system.Metrics artifact."""
    kind = registry("PutExecutionType", execution_type=pb.ExecutionType(name="Evaluator")).type_id
    metrics = registry("PutArtifactType", artifact_type=pb.ArtifactType(name="system.Metrics")).type_id
    pairs = [{"event": {"type": pb.Event.INPUT, "artifact_id": given}} for given in (model, *inputs)]
    made = node(pb.Artifact, {}, scalars, type_id=metrics)
    pairs.append({"artifact": made, "event": {"type": pb.Event.OUTPUT}})
    return int(registry("PutExecution", execution={"type_id": kind}, artifact_event_pairs=pairs).execution_id)


def test_the_nearest_number_counts(registry: Registry) -> None:
    artifact = registry.run("s3://m/1", own=1.0)
    registry.version(artifact_id=artifact)
    (event,) = registry("GetEventsByArtifactIDs", artifact_ids=[artifact]).events
    owner = metrics_pb2.MetricOwner(execution_id=event.execution_id)
    registry("LogScalars", owner=owner, scalars={"own": 9.0, "auc": 0.1, "loss": 0.3})
    assert passes(registry, "1", "own <= 1")[0]
    assert passes(registry, "1", "auc <= 0.1")[0]
    evaluate(registry, artifact, auc=0.2)
    evaluate(registry, artifact, auc=0.3)
    assert passes(registry, "1", "auc >= 0.3")[0], (
        "the newest run that read the model is nearer than the one that made it"
    )
    assert passes(registry, "1", "loss <= 0.3")[0]


def test_figures_of_evaluations_are_metrics_too(registry: Registry) -> None:
    artifact = registry.run("s3://m/1")
    registry.version(artifact_id=artifact)
    for name, part in (("test", ""), ("test", "country=de")):
        key = metrics_pb2.MetricKey(owner={"artifact_id": artifact}, name=name, slice=part)
        matrix = metrics_pb2.MatrixCounts(labels=["no", "yes"], counts=[8, 2, 1, 9])
        registry("LogConfusionMatrix", key=key, matrix=matrix)
    for rule in ("accuracy >= 0.85", "test/accuracy >= 0.85", "test[country=de]/accuracy >= 0.85"):
        assert passes(registry, "1", rule)[0], rule
    assert not passes(registry, "1", "accuracy >= 0.86")[0]
    key = metrics_pb2.MetricKey(owner={"artifact_id": artifact}, name="other")
    registry("LogConfusionMatrix", key=key, matrix=metrics_pb2.MatrixCounts(labels=["no", "yes"], counts=[1, 1, 1, 1]))
    assert not passes(registry, "1", "accuracy >= 0.85")[0], "of two evaluations the name has to be said"


def test_evaluated_on_a_data_set(registry: Registry) -> None:
    artifact = registry.run("s3://m/1")
    registry.version(artifact_id=artifact)
    holdout, other = registry.run("s3://b/holdout", "system.Dataset"), registry.run("s3://b/other", "system.Dataset")
    registry("AddVersion", type_name="system.Dataset", name="churn", artifact=b"")
    (named,) = [a.id for a in registry("GetArtifacts").artifacts if a.name == "churn/1"]
    assert not passes(registry, "1", "evaluated on s3://b/holdout")[0]
    evaluate(registry, artifact, holdout, named)
    for data in ("s3://b/holdout", str(holdout), "churn", "churn/1"):
        assert passes(registry, "1", f'evaluated on "{data}"')[0], data
    for data in ("s3://b/other", str(other), str(artifact), "s3://m/1"):
        assert not passes(registry, "1", f"evaluated on {data}")[0], data


def test_files_verified(registry: Registry) -> None:
    artifact = registry.run("s3://m/1")
    registry.version(artifact_id=artifact)
    assert passes(registry, "1", "files verified") == (False, "the store has no manifest of the files")

    def manifest(tx: Transaction) -> None:
        columns = [column.name for column in MANIFEST.columns]
        tx.insert(MANIFEST, columns, [(artifact, "s3://m/1/", "m/1/", 0, 2, 2, b"", 1)])
        rows = [(artifact, path, 1, b"", verified, "", "") for path, verified in ((b"a", 5), (b"b", 0))]
        tx.insert(FILE, [column.name for column in FILE.columns], rows)

    registry.store.database.write(LOCAL, manifest)
    assert passes(registry, "1", "files verified") == (False, "1 of 2 files read and found right")

    def verified(tx: Transaction) -> None:
        tx.execute(FILE.update().values(verified_ms=7))

    registry.store.database.write(LOCAL, verified)
    assert passes(registry, "1", "files verified") == (True, "2 of 2 files read and found right")


@pytest.mark.parametrize(("declared", "said"), [(0, "0 of 0 files"), (2, "1 of 2 files")])
def test_files_that_the_store_does_not_know_are_not_verified(registry: Registry, declared: int, said: str) -> None:
    """A manifest that lost its files passes no gate."""
    artifact = registry.run("s3://m/1")
    registry.version(artifact_id=artifact)

    def damaged(tx: Transaction) -> None:
        columns = [column.name for column in MANIFEST.columns]
        tx.insert(MANIFEST, columns, [(artifact, "s3://m/1/", "m/1/", 0, declared, declared, b"", 1)])
        if declared:
            rows = [(artifact, b"a", 1, b"", 7, "", "")]
            tx.insert(FILE, [column.name for column in FILE.columns], rows)

    registry.store.database.write(LOCAL, damaged)
    assert passes(registry, "1", "files verified") == (False, f"{said} read and found right")


def test_approved_by_others_than_the_author(registry: Registry) -> None:
    author = registry.as_("ana")
    author.version()
    gate(registry, "approved by 2")
    for subject in ("ana", "bo"):
        registry.as_(subject)("ApproveModelVersion", model="fraud", version="1")
    refused = registry.error("MoveModelAlias", **CHAMPION, version="1")
    assert "approved by 1 other person: bo" in refused.message
    registry.as_("cy")("ApproveModelVersion", model="fraud", version="1")
    assert registry("MoveModelAlias", **CHAMPION, version="1").move.gates[0].passed


def test_gates_are_set_for_one_alias_or_for_all(registry: Registry) -> None:
    with_auc(registry, 0.5)
    gate(registry, "auc >= 0.9", alias="")
    gate(registry, "auc >= 0.95", "auc <= 1")
    told = registry("GetModelGates", model="fraud").gates
    assert {g.alias: list(g.rules) for g in told} == {"": ["auc >= 0.9"], "champion": ["auc >= 0.95", "auc <= 1"]}
    checked = registry("CheckModelGates", **CHAMPION, version="1")
    assert (checked.passed, [g.passed for g in checked.gates]) == (False, [False, False, True])
    assert len(registry("CheckModelGates", model="fraud", alias="x", version="1").gates) == 1
    assert registry.code("MoveModelAlias", model="fraud", alias="x", version="1") is Code.FAILED_PRECONDITION
    gate(registry, alias="")
    assert registry("MoveModelAlias", model="fraud", alias="x", version="1").move.to_number == 1
    for rules in (["nonsense"], ["auc >= 1", "auc >= 1"], [f"auc >= {n}" for n in range(51)]):
        assert registry.code("SetModelGates", model="fraud", rules=rules) is Code.INVALID_ARGUMENT
    assert registry.code("SetModelGates", model="fraud", alias="7", rules=[]) is Code.INVALID_ARGUMENT
    assert registry.code("CheckModelGates", **CHAMPION, version="1", rules=["x"]) is Code.INVALID_ARGUMENT


def test_a_rollback_is_never_refused_by_gates_and_shows_them(registry: Registry) -> None:
    with_auc(registry, 0.5, 0.95)
    registry("MoveModelAlias", **CHAMPION, version="1")
    gate(registry, "auc >= 0.91")
    registry("MoveModelAlias", **CHAMPION, version="2")
    back = registry("RollbackModelAlias", **CHAMPION, reason="pager").move
    assert (back.to_number, back.overridden, back.gates[0].passed) == (1, True, False)
