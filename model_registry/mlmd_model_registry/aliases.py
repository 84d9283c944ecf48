"""Aliases of models: moved under the row lock of the model, with gates, a history, and a way back.

Each move is a row of `mlmd_alias_moves`, as with every collection, and beside it an outcome: the gates as they were
evaluated, whether they were overridden, and `stands`, the sequence of the move whose target the alias has. For an
ordinary move that is its own; for a rollback that of the move returned to, so that the next rollback goes on there.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.alias_moves import check_alias, check_expected, record_move
from mlmd_metadata_store.move_rows import MOVE_COLUMNS, MOVE_FIELDS, move_of_row
from mlmd_metadata_store.reasons import check_reason
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.version_collections import CollectionRow
from mlmd_metadata_store.version_reads import alias_moves
from mlmd_schemas.aliases import LATEST
from mlmd_schemas.errors import FailedPrecondition, InvalidArgument, NotFound
from mlmd_schemas.pb.v1 import collections_pb2
from mlmd_schemas.pb.v1 import registry_pb2 as v1
from mlmd_schemas.tables.own import ALIAS_MOVE
from mlmd_schemas.tables.own import VERSION as COUNTED
from mlmd_schemas.tables.registry import MOVE_OUTCOME

from mlmd_model_registry.changes import touch
from mlmd_model_registry.gates import Outcome, check_gates, require_passed
from mlmd_model_registry.models import Model, locked_by_name, model_by_id, pointed_number, require_live
from mlmd_model_registry.version_bytes import require_bytes
from mlmd_model_registry.version_reads import Version, known_aliases, no_alias, numbered_version
from mlmd_model_registry.versions import require_number
from mlmd_model_registry.webhooks import queue_move

_MODEL: sa.BindParameter[Any] = sa.bindparam("model")
_NAME: sa.BindParameter[Any] = sa.bindparam("name")
_SAME = sa.and_(MOVE_OUTCOME.c.context_id == ALIAS_MOVE.c.context_id, MOVE_OUTCOME.c.sequence == ALIAS_MOVE.c.sequence)
_MOVES = sa.select(
    ALIAS_MOVE.c.sequence, ALIAS_MOVE.c.to_number, MOVE_OUTCOME.c.stands, MOVE_OUTCOME.c.before
).outerjoin(MOVE_OUTCOME, _SAME)
_LAST = (
    _MOVES.where(ALIAS_MOVE.c.context_id == _MODEL, ALIAS_MOVE.c.alias == _NAME)
    .order_by(ALIAS_MOVE.c.sequence.desc())
    .limit(1)
)
_ONE = _MOVES.where(ALIAS_MOVE.c.context_id == _MODEL, ALIAS_MOVE.c.sequence == sa.bindparam("wanted"))
_AS_OF = (
    sa.select(ALIAS_MOVE.c.to_number)
    .where(ALIAS_MOVE.c.context_id == _MODEL, ALIAS_MOVE.c.alias == _NAME, ALIAS_MOVE.c.move_ms <= sa.bindparam("then"))
    .order_by(ALIAS_MOVE.c.sequence.desc())
    .limit(1)
)
_LATEST_AS_OF = (
    sa.select(COUNTED.c.number)
    .where(COUNTED.c.context_id == _MODEL, COUNTED.c.create_ms <= sa.bindparam("then"))
    .order_by(COUNTED.c.number.desc())
    .limit(1)
)
_OUTCOMES = sa.select(
    MOVE_OUTCOME.c.sequence, MOVE_OUTCOME.c.rolls_back, MOVE_OUTCOME.c.is_overridden, MOVE_OUTCOME.c.gates
).where(MOVE_OUTCOME.c.context_id == _MODEL, MOVE_OUTCOME.c.sequence.in_(sa.bindparam("ids", expanding=True)))
_AFTER = (
    sa.select(*MOVE_COLUMNS)
    .where(ALIAS_MOVE.c.context_id == _MODEL, ALIAS_MOVE.c.sequence > sa.bindparam("seen"))
    .order_by(ALIAS_MOVE.c.sequence)
    .limit(sa.bindparam("rows", type_=sa.BigInteger))
)
_WANTED: sa.BindParameter[Any] = sa.bindparam("wanted")
_OF_NUMBER = (
    ALIAS_MOVE.c.context_id == _MODEL,
    sa.or_(ALIAS_MOVE.c.from_number == _WANTED, ALIAS_MOVE.c.to_number == _WANTED),
)
_MOVES_OF_NUMBER = (
    sa.select(*MOVE_COLUMNS)
    .where(*_OF_NUMBER)
    .order_by(ALIAS_MOVE.c.sequence.desc())
    .limit(sa.bindparam("rows", type_=sa.BigInteger))
)
_HOW_MANY_OF_NUMBER = sa.select(sa.func.count()).where(*_OF_NUMBER)


def glance_at_alias(tx: Transaction, name: str, alias: str, expected_number: int) -> None:
    """Raise FailedPrecondition when an alias points elsewhere than expected; one statement.

    Of many who move one alias at once all but one lose, and the losers must not keep the next one back. A model that is
    not there is for the move itself to tell.
    """
    before = pointed_number(tx, name, alias)
    if before is not None:
        check_expected(repr(name), alias, before, expected_number)


def locked_model(tx: Transaction, name: str, alias: str, expected_number: int | None) -> Model:
    """Return the model of this name, locked until the transaction ends.

    Raises NotFound, and FailedPrecondition when the alias points elsewhere than expected.
    """
    model = locked_by_name(tx, name)
    check_expected(repr(name), alias, model.aliases.get(alias, 0), expected_number)
    return model


def move_model_alias(
    tx: Transaction,
    model: Model,
    alias: str,
    version: Version | None,
    *,
    reason: str = "",
    override: bool = False,
) -> v1.ModelAliasMove:
    """Point an alias at a version, or remove it when `version` is None; return the move as it is recorded.

    Model and version are read under the lock of the model (`locked_model`), so that what is judged is what is. Raises
    FailedPrecondition for an archived model or version, bytes that are gone and gates that are not met; NotFound for
    an alias to remove that is not there; InvalidArgument for what cannot be an alias and for an override without a
    reason.
    """
    if override and not reason.strip():
        raise InvalidArgument("reason: is empty; an override of gates needs one.")
    check_alias(alias)
    check_reason(reason)
    if version is not None and not version.number:
        version = require_number(tx, version)
        model = model_by_id(tx, model.id)  # its counters went on with that
    number, before = version.number if version is not None else 0, model.aliases.get(alias, 0)
    if not number and not before:
        raise NotFound(f"alias: {model.name!r} has no alias {alias!r} to remove; it has {known_aliases(model)}.")
    outcomes: list[Outcome] = []
    if version is not None:
        require_live(model)
        require_usable(tx, version)
        outcomes = check_gates(tx, model, alias, version)
        if not override:
            require_passed(outcomes, alias)
    last = _last(tx, model.id, alias)
    move = record_move(tx, _counters(model), alias, before, number, reason)
    overridden = override and any(not outcome.passed for outcome in outcomes)
    # A move to where it points already is no step that a rollback could take back; the one before it still stands.
    place = (last[2], 0, 0) if last and number == before else (move.sequence, last[2] if last else 0, 0)
    return _noted(tx, model, move, place, outcomes, overridden)


def _counters(model: Model) -> CollectionRow:
    return CollectionRow(model.id, model.latest_number, model.move_sequence)


def roll_back_alias(tx: Transaction, model: Model, alias: str, *, reason: str = "") -> v1.ModelAliasMove:
    """Point an alias at what it pointed at before its last move that stands; return this move.

    The model is read under its lock (`locked_model`). Gates are evaluated and noted, and never refuse: what is returned
    to was there before. Raises NotFound for an alias that never was, FailedPrecondition when there is nothing before,
    or when that is archived or its bytes are gone.
    """
    check_alias(alias)
    check_reason(reason)
    require_live(model)
    last = _last(tx, model.id, alias)
    if last is None:
        raise no_alias(model, alias)
    standing = _one(tx, model.id, last[2])
    target = _one(tx, model.id, standing[3]) if standing[3] else None
    if target is None or not target[1]:
        raise FailedPrecondition(
            f"alias: {alias!r} of {model.name!r} pointed at nothing before move {standing[0]}; to remove it, move it "
            "to no version."
        )
    version = numbered_version(tx, model, target[1], whole=False)
    require_usable(tx, version)
    outcomes = check_gates(tx, model, alias, version)
    move = record_move(tx, _counters(model), alias, model.aliases.get(alias, 0), version.number, reason)
    overridden = any(not outcome.passed for outcome in outcomes)
    return _noted(tx, model, move, (target[0], 0, standing[0]), outcomes, overridden)


def _last(tx: Transaction, model_id: int, alias: str) -> Any:
    rows = tx.rows(_LAST, {"model": model_id, "name": alias})
    return _whole(rows[0]) if rows else None


def _one(tx: Transaction, model_id: int, sequence: int) -> Any:
    (row,) = tx.rows(_ONE, {"model": model_id, "wanted": sequence})
    return _whole(row)


def _whole(row: Any) -> tuple[int, int, int, int]:
    """Return sequence, target, `stands` and `before`; a move without an outcome stands for itself."""
    sequence, number, stands, before = row
    return sequence, number, stands or sequence, before or 0


def _noted(
    tx: Transaction,
    model: Model,
    move: collections_pb2.AliasMove,
    place: tuple[int, int, int],
    outcomes: Sequence[Outcome],
    overridden: bool,
) -> v1.ModelAliasMove:
    """Note the outcome of a move; `place` is its `stands`, `before` and `rolls_back`."""
    gates = v1.CheckModelGatesResponse(gates=[outcome.message() for outcome in outcomes])
    columns = ("context_id", "sequence", "stands", "before", "rolls_back", "is_overridden", "gates")
    row = (model.id, move.sequence, *place, int(overridden), gates.SerializeToString())
    tx.insert(MOVE_OUTCOME, columns, [row])
    moved = _message(move, place[2], overridden, gates.gates)
    queue_move(tx, model, moved)
    touch(tx)
    return moved


def _message(
    move: collections_pb2.AliasMove, rolls_back: int, overridden: bool, gates: Iterable[v1.GateOutcome]
) -> v1.ModelAliasMove:
    fields = {name: getattr(move, name) for name in MOVE_FIELDS}
    return v1.ModelAliasMove(**fields, rolls_back=rolls_back, overridden=overridden, gates=gates)


def require_usable(tx: Transaction, version: Version) -> None:
    """Raise FailedPrecondition for an archived version or one without bytes, DataLoss for bytes that are damaged."""
    if version.is_archived:
        raise FailedPrecondition(f"version: version {version.number} is archived; restore it first.")
    require_bytes(tx, version)


def list_moves(
    tx: Transaction, model: Model, alias: str = "", size: int = 0, token: str = ""
) -> tuple[list[v1.ModelAliasMove], str]:
    """Return a page of the moves of a model's aliases, or of one, newest first, and the next page's token.

    Raises NotFound for an alias that never was; one that was removed has its history.
    """
    moves, following = alias_moves(tx, model.id, alias, size, token)
    if alias and not moves and not token:
        raise no_alias(model, alias)
    return with_outcomes(tx, model.id, moves), following


def moves_of_number(tx: Transaction, model_id: int, number: int, most: int) -> tuple[list[v1.ModelAliasMove], int]:
    """Return the newest moves to a version and away from it, up to `most`, and how many there are."""
    wanted = {"model": model_id, "wanted": number}
    moves = [move_of_row(row) for row in tx.rows(_MOVES_OF_NUMBER, {**wanted, "rows": most})]
    ((count,),) = tx.rows(_HOW_MANY_OF_NUMBER, wanted)
    return with_outcomes(tx, model_id, moves), int(count)


def moves_after(tx: Transaction, model_id: int, sequence: int, most: int) -> list[v1.ModelAliasMove]:
    """Return up to `most` moves of a model's aliases after a sequence, in their order."""
    rows = tx.rows(_AFTER, {"model": model_id, "seen": sequence, "rows": most})
    moves = [move_of_row(row) for row in rows]
    return with_outcomes(tx, model_id, moves)


def with_outcomes(
    tx: Transaction, model_id: int, moves: Sequence[collections_pb2.AliasMove]
) -> list[v1.ModelAliasMove]:
    """Return the moves with what is known of them beside."""
    known = {row[0]: row[1:] for row in tx.rows_in(_OUTCOMES, [move.sequence for move in moves], model=model_id)}
    found = []
    for move in moves:
        rolls_back, overridden, gates = known.get(move.sequence, (0, 0, b""))
        report = v1.CheckModelGatesResponse.FromString(bytes(gates))
        found.append(_message(move, rolls_back, bool(overridden), report.gates))
    return found


def number_as_of(tx: Transaction, model: Model, alias: str, then_ms: int) -> int:
    """Return the version that an alias pointed at at a moment, `latest` the newest that was there; raises NotFound.

    It is the target of the last move, by sequence, that does not carry a later time. So neither equal milliseconds nor
    a clock that stepped back make it doubtful.
    """
    if alias == LATEST:
        rows = tx.rows(_LATEST_AS_OF, {"model": model.id, "then": then_ms})
    else:
        check_alias(alias)
        rows = tx.rows(_AS_OF, {"model": model.id, "name": alias, "then": then_ms})
    if not rows or not rows[0][0]:
        what = "version" if alias == LATEST else f"alias {alias!r}"
        raise NotFound(f"as_of: the model {model.name!r} had no {what} at that moment.")
    return int(rows[0][0])
