"""Lists of ids on SQLite are few statements, whatever their members, and find what they name."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.plans import Plan
from mlmd_metadata_store.store import Store
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import ARTIFACT
from sqlalchemy.dialects import sqlite

from tests.metadata_store.calls import Calls, node

NODES = 400
SQLITE_PARAMETERS = 32_766
"""As many as a SQLite takes that was not built to take more."""
LISTS = {
    word: sa.select(ARTIFACT.c.id).where(getattr(ARTIFACT.c.id, method)(sa.bindparam("some", expanding=True)))
    for word, method in (("IN", "in_"), ("NOT IN", "not_in"))
}
PLANS = {word: Plan(statement, sqlite.dialect(paramstyle="qmark")) for word, statement in LISTS.items()}


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Calls]:
    """A store with artifacts that have properties."""
    store = Store.open(f"sqlite:///{tmp_path / 'facts.db'}", StoreOptions())
    call = Calls(store)
    type_id = call("PutArtifactType", artifact_type={"name": "Data"}).type_id
    call("PutArtifacts", artifacts=[node(pb.Artifact, custom={"n": n}, type_id=type_id) for n in range(NODES)])
    yield call
    store.close()


def test_many_lists_are_few_statements(call: Calls) -> None:
    texts: set[str] = set()
    chance = random.Random(7)
    call.store.database.watch = texts.add
    for count in range(2, 200):
        ids = chance.sample(range(1, NODES + 1), count)
        found = call("GetArtifactsByID", artifact_ids=ids).artifacts
        assert [one.id for one in found] == sorted(ids)
        assert [one.custom_properties["n"].int_value for one in found] == [one - 1 for one in sorted(ids)]
    assert len(texts) <= 2 * 16


@given(st.lists(st.integers(-(1 << 70), 1 << 70), min_size=1, max_size=40))
def test_a_list_holds_its_members_and_no_other(members: list[int]) -> None:
    for word, plan in PLANS.items():
        text, values = plan.render({"some": members})
        before, _, written = text.partition(f"{word} (")
        assert "?" not in before
        told = [int(one) for one in written.partition(")")[0].split(",")] if not values else list(values)
        assert set(told) == set(members)
        assert len(told) < 2 * len(members) or len(members) == 1
        assert text.count("?") == len(values)


@pytest.mark.parametrize(("lists", "members"), [(1, 3), (1, 12_000), (5, 8_000), (100, 500)])
def test_all_lists_of_a_statement_together_are_not_too_many_parameters(
    call: Calls, monkeypatch: pytest.MonkeyPatch, lists: int, members: int
) -> None:
    """Some builds of SQLite take more parameters than others; a filter may have as many lists as fit into it."""
    most = 0

    def render(plan: Plan, parameters: Any) -> tuple[str, Sequence[Any]]:
        nonlocal most
        text, values = whole(plan, parameters)
        most = max(most, len(values))
        return text, values

    whole = Plan.render
    monkeypatch.setattr(Plan, "render", render)
    ids = ", ".join(str(2 * number) for number in range(1, members + 1))
    options = {"max_result_size": 100, "filter_query": " AND ".join([f"id IN ({ids})"] * lists)}
    found = call("GetArtifacts", options=options).artifacts
    assert [one.id for one in found] == [2 * number for number in range(1, min(members, 100) + 1)]
    assert most <= SQLITE_PARAMETERS


@pytest.mark.parametrize("count", [8192, 8193, 40_000])
def test_long_lists(count: int) -> None:
    members = [2 * one for one in range(count)]
    text, values = PLANS["IN"].render({"some": members})
    assert (len(values) == 8192) == (count == 8192)
    assert text.count("?") == len(values)
