"""The calls of `mlmd.v1.ModelRegistry` about aliases and gates."""

from mlmd_metadata_store.alias_moves import check_alias
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from mlmd_model_registry.aliases import glance_at_alias, list_moves, locked_model, move_model_alias, roll_back_alias
from mlmd_model_registry.gate_rules import parse_rule
from mlmd_model_registry.gates import check_gates, gates_of, set_gates
from mlmd_model_registry.models import Model, find_model
from mlmd_model_registry.version_reads import find_version


def glance(tx: Transaction, request: v1.MoveModelAliasRequest | v1.RollbackModelAliasRequest) -> None:
    """Refuse a move or a rollback at once whose alias points elsewhere than its caller expects."""
    check_alias(request.alias)
    if request.HasField("expected_number"):
        glance_at_alias(tx, request.model, request.alias, request.expected_number)


def move(tx: Transaction, request: v1.MoveModelAliasRequest) -> v1.MoveModelAliasResponse:
    """Point an alias at a version, or remove it."""
    check_alias(request.alias)
    expected = request.expected_number if request.HasField("expected_number") else None
    model = locked_model(tx, request.model, request.alias, expected)
    version = find_version(tx, model, request.version, whole=False) if request.version else None
    moved = move_model_alias(
        tx,
        model,
        request.alias,
        version,
        reason=request.reason,
        override=request.override_gates,
    )
    return v1.MoveModelAliasResponse(move=moved)


def roll_back(tx: Transaction, request: v1.RollbackModelAliasRequest) -> v1.RollbackModelAliasResponse:
    """Point an alias at what it pointed at before."""
    expected = request.expected_number if request.HasField("expected_number") else None
    check_alias(request.alias)
    model = locked_model(tx, request.model, request.alias, expected)
    moved = roll_back_alias(tx, model, request.alias, reason=request.reason)
    return v1.RollbackModelAliasResponse(move=moved)


def list_alias_moves(tx: Transaction, request: v1.ListModelAliasMovesRequest) -> v1.ListModelAliasMovesResponse:
    """Return a page of moves, newest first."""
    model = find_model(tx, request.model)
    moves, token = list_moves(tx, model, request.alias, request.page_size, request.page_token)
    return v1.ListModelAliasMovesResponse(moves=moves, next_page_token=token)


def put_gates(tx: Transaction, request: v1.SetModelGatesRequest) -> v1.SetModelGatesResponse:
    """Replace the gates of an alias."""
    model = find_model(tx, request.model)
    set_gates(tx, model, request.alias, request.rules)
    return v1.SetModelGatesResponse(gates=_gates(tx, model))


def get_gates(tx: Transaction, request: v1.GetModelGatesRequest) -> v1.GetModelGatesResponse:
    """Return the gates of a model."""
    return v1.GetModelGatesResponse(gates=_gates(tx, find_model(tx, request.model)))


def _gates(tx: Transaction, model: Model) -> list[v1.GateSet]:
    return [v1.GateSet(alias=alias, rules=rules) for alias, rules in sorted(gates_of(tx, model.id).items())]


def check(tx: Transaction, request: v1.CheckModelGatesRequest) -> v1.CheckModelGatesResponse:
    """Evaluate gates without moving anything."""
    if request.alias:
        check_alias(request.alias)
    for rule in request.rules:
        parse_rule(rule)
    model = find_model(tx, request.model)
    version = find_version(tx, model, request.version)
    outcomes = check_gates(tx, model, request.alias, version, request.rules)
    return v1.CheckModelGatesResponse(
        passed=all(outcome.passed for outcome in outcomes), gates=[outcome.message() for outcome in outcomes]
    )
