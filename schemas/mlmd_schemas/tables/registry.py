"""The model registry's own tables; models, versions and deployments themselves are MLMD's nodes."""

from sqlalchemy import BigInteger, Column, LargeBinary, String, Table

from mlmd_schemas.tables.own import METADATA


def _key(name: str) -> Column[int]:
    return Column(name, BigInteger, primary_key=True, autoincrement=False)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _text(name: str) -> Column[str]:
    return Column(name, String, nullable=False)


MODEL_VERSION = Table(
    "mlmd_model_versions",
    METADATA,
    _key("version_id"),  # the kf.ModelVersion context
    _number("model_id"),  # the kf.RegisteredModel context, which is the collection of mlmd_versions
    _number("number"),
    _number("model_artifact_id"),  # the kf.ModelArtifact; 0: none yet
    _text("subject"),
    _number("create_ms"),
)
"""Which context a number of mlmd_versions is."""

MOVE_OUTCOME = Table(
    "mlmd_move_outcomes",
    METADATA,
    _key("context_id"),
    _key("sequence"),
    _number("stands"),  # the sequence of the move whose target the alias has now: its own, or the one returned to
    _number("before"),  # `stands` of the move before it of the same alias; 0: there was none
    _number("rolls_back"),  # the sequence of the move that was taken back; 0: no rollback
    _number("is_overridden"),
    Column("gates", LargeBinary, nullable=False),  # serialized mlmd.v1.CheckModelGatesResponse
)
"""What is known of a move of a model's alias beside mlmd_alias_moves."""

GATE = Table(
    "mlmd_gates",
    METADATA,
    _key("model_id"),
    Column("alias", String, primary_key=True),  # "": every alias of the model
    _key("position"),
    _text("rule"),
)

APPROVAL = Table(
    "mlmd_approvals",
    METADATA,
    _key("version_id"),
    Column("subject", String, primary_key=True),
    _text("reason"),
    _number("create_ms"),
)

WEBHOOK = Table(
    "mlmd_webhooks",
    METADATA,
    Column("id", BigInteger, primary_key=True),
    _number("model_id"),  # 0: every model
    _text("url"),
    _text("secret"),
    _text("subject"),
    _number("create_ms"),
)

DELIVERY = Table(
    "mlmd_deliveries",
    METADATA,
    Column("id", BigInteger, primary_key=True),
    _number("webhook_id"),
    _number("model_id"),
    _number("sequence"),
    _number("state"),  # mlmd.v1.DeliveryState
    _number("attempts"),
    _number("due_ms"),  # when it is posted next; whoever posts it moves this ahead first
    _number("last_status"),
    _text("problem"),
    _number("create_ms"),
    Column("body", LargeBinary, nullable=False),
)
"""What is to be posted to webhooks, and what was."""
