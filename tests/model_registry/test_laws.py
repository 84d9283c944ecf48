"""Any course of aliases, gates, archiving and rollbacks agrees with a small model of it."""

import itertools
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_model_registry.aliases import number_as_of
from mlmd_model_registry.models import find_model
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import NotFound, StoreError

from tests.model_registry.conftest import Registry

ALIASES = st.sampled_from(["champion", "candidate"])
SCORES = (0.1, 0.5, 0.9, 0.7)


@dataclass
class Plain:
    """The registry in fifty lines: lists and dictionaries."""

    archived: set[int] = field(default_factory=set)
    gates: dict[str, float] = field(default_factory=dict)
    moves: list[tuple[str, int, int]] = field(default_factory=list)
    undo: dict[str, list[int]] = field(default_factory=dict)
    """For each alias what it pointed at, move by move, less what was rolled back."""

    def at(self, alias: str) -> int:
        return next((to for name, _, to in reversed(self.moves) if name == alias), 0)

    def _usable(self, number: int) -> bool:
        return number not in self.archived

    def _record(self, alias: str, number: int) -> None:
        self.moves.append((alias, self.at(alias), number))

    def move(self, alias: str, number: int, expected: int | None, override: bool) -> bool:
        if expected is not None and expected != self.at(alias):
            return False
        if number == 0:
            if not self.at(alias):
                return False
        elif not self._usable(number) or not (override or SCORES[number - 1] >= self.gates.get(alias, 0)):
            return False
        if number != self.at(alias):
            self.undo.setdefault(alias, []).append(number)
        self._record(alias, number)
        return True

    def roll_back(self, alias: str) -> bool:
        stack = self.undo.get(alias, [])
        if len(stack) < 2 or not stack[-2] or not self._usable(stack[-2]):
            return False
        stack.pop()
        self._record(alias, stack[-1])
        return True

    def archive(self, number: int) -> bool:
        if number in (self.at("champion"), self.at("candidate")):
            return False
        self.archived.add(number)
        return True


class Course(RuleBasedStateMachine):
    """The registry and the plain one, step by step."""

    store: Store
    names = itertools.count(1)

    def __init__(self) -> None:
        super().__init__()
        self.registry, self.plain = Registry(self.store), Plain()
        self.model = f"model {next(self.names)}"
        for score in SCORES:
            artifact = self.registry.run(f"s3://m/{self.model}/{score}".replace(" ", ""), score=score)
            self.registry("CreateModelVersion", model=self.model, create_model=True, artifact_id=artifact)

    def did(self, method: str, **fields: Any) -> bool:
        try:
            self.registry(method, model=self.model, **fields)
        except StoreError:
            return False
        return True

    @rule(
        alias=ALIASES,
        number=st.integers(0, 4),
        expected=st.none() | st.integers(0, 4),
        override=st.booleans(),
    )
    def move(self, alias: str, number: int, expected: int | None, override: bool) -> None:
        fields: dict[str, Any] = {"version": str(number) if number else "", "override_gates": override, "reason": "r"}
        if expected is not None:
            fields["expected_number"] = expected
        moved = self.did("MoveModelAlias", alias=alias, **fields)
        assert moved == self.plain.move(alias, number, expected, override)

    @rule(alias=ALIASES)
    def roll_back(self, alias: str) -> None:
        assert self.did("RollbackModelAlias", alias=alias) == self.plain.roll_back(alias)

    @rule(alias=ALIASES, least=st.sampled_from([0.0, 0.4, 0.8]))
    def gate(self, alias: str, least: float) -> None:
        assert self.did("SetModelGates", alias=alias, rules=[f"score >= {least}"])
        self.plain.gates[alias] = least

    @rule(number=st.integers(1, 4))
    def archive(self, number: int) -> None:
        assert self.did("ArchiveModelVersion", version=str(number)) == self.plain.archive(number)

    @rule(number=st.integers(1, 4))
    def restore(self, number: int) -> None:
        assert self.did("RestoreModelVersion", version=str(number))
        self.plain.archived.discard(number)

    @invariant()
    def history_and_aliases_agree(self) -> None:
        moves = list(reversed(self.registry("ListModelAliasMoves", model=self.model, page_size=100).moves))
        assert [(m.alias, m.from_number, m.to_number) for m in moves] == self.plain.moves[-100:]
        aliases = dict(self.registry("GetModel", model=self.model).model.aliases)
        wanted = {alias: self.plain.at(alias) for alias in ("champion", "candidate")}
        assert aliases == {alias: number for alias, number in wanted.items() if number}

    def teardown(self) -> None:
        """Ask as of the moment of every move."""
        moves = list(reversed(self.registry("ListModelAliasMoves", model=self.model, page_size=100).moves))
        for then in {move.move_ms for move in moves}:
            for alias in ("champion", "candidate"):
                until = [move.to_number for move in moves if move.alias == alias and move.move_ms <= then]
                assert self._as_of(alias, then) == (until[-1] if until else 0)

    def _as_of(self, alias: str, then: int) -> int:
        def read(tx: Transaction) -> int:
            return number_as_of(tx, find_model(tx, self.model), alias, then)

        try:
            return self.store.database.read(LOCAL, read)
        except NotFound:
            return 0


@pytest.mark.slow
def test_any_course_agrees_with_the_plain_registry(store: Store) -> None:
    course = type("CourseOnStore", (Course,), {"store": store})
    run_state_machine_as_test(
        course,
        settings=settings(
            max_examples=12,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
