"""Operations that schemathesis makes of the schema: none is a 5xx, none is INTERNAL or UNKNOWN."""

import base64
import json
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mlmd_api.graphql.global_ids import opaque_id

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis

from tests.api.conftest import Served
from tests.api.graphql.conftest import populate
from tests.metadata_store.calls import Calls

SCHEMA = Path(__file__).parents[3] / "schemas" / "mlmd_schemas" / "graphql" / "schema.graphql"
FAULTS = {"INTERNAL", "UNKNOWN", "DATA_LOSS", "UNAVAILABLE"}
nodes = schemathesis.graphql.nodes
_INTEGERS = st.integers(-(1 << 63), (1 << 63) - 1)
_NAMED = st.sampled_from(["NaN", "Infinity", "-Infinity"])
schemathesis.graphql.scalar("Int64", st.one_of(_INTEGERS.map(nodes.Int), _INTEGERS.map(str).map(nodes.String)))
schemathesis.graphql.scalar(
    "Double", st.one_of(st.floats(allow_nan=False, allow_infinity=False).map(nodes.Float), _NAMED.map(nodes.String))
)
schemathesis.graphql.scalar(
    "Bytes", st.binary(max_size=20).map(lambda raw: nodes.String(base64.b64encode(raw).decode()))
)
schemathesis.graphql.scalar("JSON", st.text(max_size=10).map(nodes.String))
_ID_TEXTS = st.sampled_from(
    [opaque_id(kind, number) for kind in ("Artifact", "Execution", "Context", "ArtifactType") for number in (1, 2, 99)]
)
schemathesis.graphql.scalar("ID", st.one_of(_ID_TEXTS.map(nodes.String), st.integers(1, 4).map(nodes.Int)))
LOADED = schemathesis.graphql.from_file(SCHEMA.read_text("utf-8"))
SETTINGS = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def filled(served: Served) -> Served:
    """A server with a small graph in its store."""
    store: Any = served.stores.of("")
    populate(Calls(store), 3)
    return served


@pytest.mark.slow
@pytest.mark.parametrize("root", sorted(LOADED))
def test_whatever_is_asked_is_answered(root: str, filled: Served) -> None:
    """Ids are real ones now and then, so that what lies behind them is asked too."""
    address, headers = f"{filled.doors.http}/graphql", {"content-type": "application/json"}
    answered: Counter[str] = Counter()

    with httpx.Client(trust_env=False, timeout=60) as client:

        @SETTINGS
        def run(case: Any) -> None:
            response = client.post(address, content=json.dumps({"query": case.body}).encode(), headers=headers)
            assert response.status_code < 500, (case.body, response.text)
            codes = {error["extensions"]["code"] for error in response.json().get("errors", ())}
            assert not codes & FAULTS, (case.body, response.text)
            answered["with errors" if codes else "well"] += 1

        for name in sorted(LOADED[root]):
            given(case=LOADED[root][name].as_strategy())(run)()
    assert answered["well"], answered
