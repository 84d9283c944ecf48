"""Gates: rules that a version must meet before an alias may point at it."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from mlmd_lineage.ends import INPUTS
from mlmd_metadata_store.alias_moves import check_alias
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.counting import counted
from mlmd_schemas.errors import FailedPrecondition, InvalidArgument
from mlmd_schemas.pb.v1 import registry_pb2 as v1
from mlmd_schemas.tables.own import FILE, MANIFEST
from mlmd_schemas.tables.registry import GATE
from mlmd_schemas.tables.v10 import ARTIFACT, EVENT

from mlmd_model_registry.changes import touch
from mlmd_model_registry.gate_rules import (
    ApprovedBy,
    Comparison,
    EvaluatedOn,
    FilesVerified,
    Rule,
    parse_rule,
)
from mlmd_model_registry.models import Model
from mlmd_model_registry.version_metrics import Runs, closest, runs_around, version_metrics
from mlmd_model_registry.version_reads import Version, approvals_of, numbered_version

MOST_RULES = 50
"""Rules of one alias."""
_MODEL: sa.BindParameter[Any] = sa.bindparam("model")
_RULES = sa.select(GATE.c.alias, GATE.c.rule).where(GATE.c.model_id == _MODEL).order_by(GATE.c.alias, GATE.c.position)
_FORGET = sa.delete(GATE).where(GATE.c.model_id == _MODEL, GATE.c.alias == sa.bindparam("name"))
_RIGHT = sa.select(sa.func.count()).where(FILE.c.artifact_id == sa.bindparam("artifact"), FILE.c.verified_ms > 0)
_MANIFEST = sa.select(MANIFEST.c.is_external, MANIFEST.c.file_count).where(
    MANIFEST.c.artifact_id == sa.bindparam("artifact")
)
_INPUTS_OF = (
    sa.select(ARTIFACT.c.id, ARTIFACT.c.uri, ARTIFACT.c.name)
    .join(EVENT, EVENT.c.artifact_id == ARTIFACT.c.id)
    .where(EVENT.c.execution_id.in_(sa.bindparam("ids", expanding=True)), EVENT.c.type.in_(sorted(INPUTS)))
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one rule."""

    rule: str
    passed: bool
    detail: str

    def message(self) -> v1.GateOutcome:
        """Return it as callers see it."""
        return v1.GateOutcome(rule=self.rule, passed=self.passed, detail=self.detail)


def set_gates(tx: Transaction, model: Model, alias: str, rules: Sequence[str]) -> None:
    """Replace the gates of an alias ("": those of every alias); raises InvalidArgument for what is no rule."""
    if alias:
        check_alias(alias)
    if len(rules) > MOST_RULES:
        raise InvalidArgument(f"rules: {len(rules)} are more than the {MOST_RULES} that an alias may have.")
    for rule in rules:
        parse_rule(rule)
    if len(set(rules)) < len(rules):
        raise InvalidArgument("rules: one of them comes twice; say it once.")
    tx.execute(_FORGET, {"model": model.id, "name": alias})
    tx.insert(
        GATE,
        ("model_id", "alias", "position", "rule"),
        [(model.id, alias, place, rule.strip()) for place, rule in enumerate(rules)],
    )
    touch(tx)


def gates_of(tx: Transaction, model_id: int) -> dict[str, list[str]]:
    """Return the rules of a model by alias; those under "" hold for every alias."""
    gates: dict[str, list[str]] = {}
    for alias, rule in tx.rows(_RULES, {"model": model_id}):
        gates.setdefault(alias, []).append(rule)
    return gates


def check_gates(tx: Transaction, model: Model, alias: str, version: Version, more: Iterable[str] = ()) -> list[Outcome]:
    """Evaluate the rules of an alias for a version, and `more` of them."""
    gates = gates_of(tx, model.id)
    rules = list(dict.fromkeys([*gates.get("", ()), *gates.get(alias, ()), *(rule.strip() for rule in more)]))
    if not rules:
        return []
    examination = _Examination(tx, model, version)
    return [examination.outcome(rule) for rule in rules]


def require_passed(outcomes: Sequence[Outcome], alias: str) -> None:
    """Raise FailedPrecondition naming the rules that are not met."""
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if failed:
        told = "; ".join(f"{outcome.rule}: {outcome.detail}" for outcome in failed)
        raise FailedPrecondition(
            f"version: does not meet {len(failed)} of {counted(len(outcomes), 'gate')} of {alias!r}: {told}. Mend "
            "that, or set override_gates and give a reason."
        )


class _Examination:
    """One version under the rules; what several rules need is read once."""

    def __init__(self, tx: Transaction, model: Model, version: Version) -> None:
        self._tx = tx
        self._model = model
        self._version = version
        self._runs: dict[int, Runs] = {}
        self._metrics: dict[int, dict[str, float]] = {}

    def outcome(self, text: str) -> Outcome:
        """Return what becomes of one rule."""
        passed, detail = self._judge(parse_rule(text))
        return Outcome(text, passed, detail)

    def _judge(self, rule: Rule) -> tuple[bool, str]:
        if isinstance(rule, Comparison):
            return self._compare(rule)
        if isinstance(rule, EvaluatedOn):
            return self._evaluated(rule)
        if isinstance(rule, FilesVerified):
            return self._verified()
        return self._approved(rule)

    def _runs_of(self, version: Version) -> Runs:
        if version.id not in self._runs:
            self._runs[version.id] = runs_around(self._tx, version.artifact_id)
        return self._runs[version.id]

    def _metrics_of(self, version: Version) -> dict[str, float]:
        if version.id not in self._metrics:
            found = version_metrics(self._tx, version.artifact_id, self._runs_of(version))
            self._metrics[version.id] = found
        return self._metrics[version.id]

    def _compare(self, rule: Comparison) -> tuple[bool, str]:
        mine = self._metrics_of(self._version)
        if rule.metric not in mine:
            return False, closest(rule.metric, list(mine))
        found = mine[rule.metric]
        if not rule.alias:
            return rule.holds(found), f"{rule.metric} is {_shown(found)}"
        number = self._model.aliases.get(rule.alias)
        if number is None:
            return True, f"{rule.metric} is {_shown(found)}, and there is no {rule.alias!r} to compare with"
        other = numbered_version(self._tx, self._model, number, whole=False)
        theirs = self._metrics_of(other)
        if rule.metric not in theirs:
            told = closest(rule.metric, list(theirs))
            return False, f"{rule.metric} is {_shown(found)}, but of {rule.alias!r}, version {number}, {told}"
        detail = f"{rule.metric} is {_shown(found)}, that of {rule.alias!r}, version {number}, "
        return rule.holds(found, theirs[rule.metric]), detail + _shown(theirs[rule.metric])

    def _evaluated(self, rule: EvaluatedOn) -> tuple[bool, str]:
        runs = self._runs_of(self._version).read_by
        decode = self._tx.text.decode
        for artifact_id, uri, name in self._tx.rows_in(_INPUTS_OF, runs):
            if artifact_id == self._version.artifact_id:
                continue
            known = {str(artifact_id), decode(uri or ""), decode(name or ""), decode(name or "").rpartition("/")[0]}
            if rule.data in known - {""}:
                return True, f"a run that read the model read artifact {artifact_id} too"
        return False, f"{counted(len(runs), 'run')} read the model, none of them {rule.data!r} too"

    def _verified(self) -> tuple[bool, str]:
        artifact = {"artifact": self._version.artifact_id}
        manifest = self._tx.rows(_MANIFEST, artifact)
        if not manifest:
            return False, "the store has no manifest of the files"
        if manifest[0][0]:
            return False, "the files are outside of this store, so it never reads them"
        right, total = int(self._tx.rows(_RIGHT, artifact)[0][0]), int(manifest[0][1])
        # A manifest that lost its files, in a database or archive that was damaged, says nothing of the bytes.
        return 0 < right == total, f"{right} of {counted(total, 'file')} read and found right"

    def _approved(self, rule: ApprovedBy) -> tuple[bool, str]:
        approvals = approvals_of(self._tx, [self._version.id]).get(self._version.id, ())
        others = [one.subject for one in approvals if one.subject != self._version.subject]
        listed = f": {', '.join(others[:10])}" if others else ""
        return len(others) >= rule.count, f"approved by {counted(len(others), 'other person', 'other people')}{listed}"


def _shown(number: float) -> str:
    return json.dumps(number)
