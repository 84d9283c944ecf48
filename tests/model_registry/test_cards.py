"""Model cards: one page from the facts, in Markdown and in HTML, with what users wrote escaped."""

from html.parser import HTMLParser
from typing import Any

import pytest
from mlmd_model_registry.card_facts import MOST_ROWS
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import metrics_pb2
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from tests.metadata_store.calls import node
from tests.model_registry.conftest import Registry

EVIL = '<script>alert("x")</script> | *bold* [link](http://evil)'


@pytest.fixture
def fraud(registry: Registry) -> Registry:
    """A version with data, code, parameters, metrics, a curve, an alias, an approval and a deployment."""
    dataset = registry("PutArtifactType", artifact_type=pb.ArtifactType(name="system.Dataset")).type_id
    model = registry("PutArtifactType", artifact_type=pb.ArtifactType(name="system.Model")).type_id
    trainer = registry("PutExecutionType", execution_type=pb.ExecutionType(name="Trainer")).type_id
    data = node(pb.Artifact, type_id=dataset, name="transactions", uri="s3://data/transactions")
    pairs = [
        {"artifact": data, "event": {"type": pb.Event.INPUT}},
        {"artifact": node(pb.Artifact, type_id=model, uri="s3://m/1"), "event": {"type": pb.Event.OUTPUT}},
    ]
    execution = node(pb.Execution, {}, {"lr": 0.1, "git_commit": "abc123"}, type_id=trainer, name="train")
    artifact = registry("PutExecution", execution=execution, artifact_event_pairs=pairs).artifact_ids[1]
    registry("LogScalars", owner={"artifact_id": artifact}, scalars={"auc": 0.93})
    key = metrics_pb2.MetricKey(owner={"artifact_id": artifact}, name="test")
    registry("LogConfusionMatrix", key=key, matrix={"labels": ["no", "yes"], "counts": [8, 2, 1, 9]})
    curve = {"label": "yes", "thresholds": [0.9, 0.1], "true_positives": [5, 10], "false_positives": [1, 10]}
    registry("LogCurve", key=key, curve=curve)
    registry.version(artifact_id=artifact, description=EVIL, tags={"team": "risk"}, format={"name": "onnx"})
    registry("SetModelGates", model="fraud", alias="champion", rules=["auc >= 0.9"])
    registry("MoveModelAlias", model="fraud", alias="champion", version="1", reason="best so far")
    registry.as_("bo")("ApproveModelVersion", model="fraud", version="1", reason="looked at it")
    asked: dict[str, Any] = {"environment": "prod", "service": "scorer", "model": "fraud", "version": "1"}
    registry("RecordDeployment", **asked, state=v1.DEPLOYMENT_STATE_RUNNING)
    return registry


def test_the_markdown_tells_every_fact(fraud: Registry) -> None:
    answer = fraud("GetModelCard", model="fraud", alias="champion")
    card = answer.card
    assert answer.media_type == "text/markdown"
    assert card.startswith("# fraud 1\n")
    for part in (
        "| aliases | champion |", "| format | onnx |", "| tag team | risk |", "transactions", "s3://data/transactions",
        "## Parameters", "lr", "| auc | 0.93 |", "| prod | scorer | running |", "| bo | looked at it |",
        "best so far", "auc \\>= 0.9: met, auc is 0.93", "## Lineage", "Trainer", "test/accuracy",
    ):  # fmt: skip
        assert part in card, (part, card)
    assert EVIL not in card
    assert "\\<script\\>" in card


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)


def test_the_page_has_drawings_and_no_scripts(fraud: Registry) -> None:
    answer = fraud("GetModelCard", model="fraud", version="1", format=v1.CARD_FORMAT_HTML)
    assert answer.media_type == "text/html"
    page = _Page()
    page.feed(answer.card)
    assert page.tags.count("svg") == 2
    assert "script" not in page.tags
    assert page.tags.count("table") >= 6
    assert "&lt;script&gt;" in answer.card


def test_a_version_is_told_whatever_became_of_others_since(registry: Registry) -> None:
    registry.version()
    registry.version()
    serving: dict[str, Any] = {"environment": "prod", "model": "fraud", "state": v1.DEPLOYMENT_STATE_STOPPED}
    registry("RecordDeployment", **serving, service="old", version="1")
    registry("MoveModelAlias", model="fraud", alias="old", version="1", reason="the first")
    for number in range(MOST_ROWS + 3):
        registry("RecordDeployment", **serving, service=f"scorer-{number}", version="2")
        registry("MoveModelAlias", model="fraud", alias="new", version="2", reason=f"reason {number}")
    card = registry("GetModelCard", model="fraud", version="1").card
    assert "| prod | old | stopped |" in card
    assert "the first" in card
    card = registry("GetModelCard", model="fraud", version="2").card
    assert card.count("| prod | scorer-") == card.count("| reason ") == MOST_ROWS
    assert "| reason 2 |" not in card, "the newest are shown"
    assert card.count("… and 3 more.") == 2


def test_a_bare_version_has_a_card_too(registry: Registry) -> None:
    registry.version(uri="s3://b/alone")
    card = registry("GetModelCard", model="fraud", version="1").card
    assert "| uri | s3://b/alone |" in card
    assert registry.code("GetModelCard", model="fraud") is Code.INVALID_ARGUMENT
    assert registry.code("GetModelCard", model="fraud", version="2") is Code.NOT_FOUND
