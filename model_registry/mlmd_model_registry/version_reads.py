"""Versions of models out of the database: contexts of type kf.ModelVersion with their numbers and artifacts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from mlmd_lineage.plain_values import clean
from mlmd_metadata_store.alias_moves import check_alias
from mlmd_metadata_store.keyset_tokens import ENDLESS, number_below, page_size, token_after
from mlmd_metadata_store.node_rows import nodes_by_id
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.type_reads import is_context_of
from mlmd_schemas.aliases import LATEST
from mlmd_schemas.errors import MISSING, InvalidArgument, NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.own import ALIAS
from mlmd_schemas.tables.own import VERSION as COUNTED
from mlmd_schemas.tables.registry import APPROVAL
from mlmd_schemas.tables.registry import MODEL_VERSION as NUMBERED
from mlmd_schemas.tables.v10 import CONTEXT, CONTEXT_PROPERTY, PARENT_CONTEXT, TYPE, Kind

from mlmd_model_registry.kubeflow_types import MODEL_VERSION
from mlmd_model_registry.models import IS_LIVE, STATE, Model, says_archived

NO_VERSION, NO_ALIAS = {MISSING: "version"}, {MISSING: "alias"}
_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_MODEL: sa.BindParameter[Any] = sa.bindparam("model")
_IS_VERSION = is_context_of(MODEL_VERSION)
_BY_NAME = sa.select(CONTEXT.c.id, CONTEXT.c.name).join(TYPE, _IS_VERSION).where(CONTEXT.c.name == sa.bindparam("name"))
_OWNER = CONTEXT.alias("owner")
_BY_NUMBER = sa.select(NUMBERED.c.version_id).where(
    NUMBERED.c.model_id == _MODEL, NUMBERED.c.number == sa.bindparam("wanted")
)
_NUMBERS = sa.select(
    NUMBERED.c.version_id,
    NUMBERED.c.model_id,
    NUMBERED.c.number,
    COUNTED.c.artifact_id,
    NUMBERED.c.model_artifact_id,
    NUMBERED.c.subject,
    NUMBERED.c.create_ms,
    _OWNER.c.name,
).join(COUNTED, sa.and_(COUNTED.c.context_id == NUMBERED.c.model_id, COUNTED.c.number == NUMBERED.c.number))
_NUMBERS = _NUMBERS.join(_OWNER, _OWNER.c.id == NUMBERED.c.model_id)
_NUMBERS_BY_ID = _NUMBERS.where(NUMBERED.c.version_id.in_(_IDS))
_ALIASES = (
    sa.select(NUMBERED.c.version_id, ALIAS.c.alias)
    .join(ALIAS, sa.and_(ALIAS.c.context_id == NUMBERED.c.model_id, ALIAS.c.number == NUMBERED.c.number))
    .where(NUMBERED.c.version_id.in_(_IDS))
    .order_by(ALIAS.c.alias)
)
_APPROVALS = (
    sa.select(APPROVAL.c.version_id, APPROVAL.c.subject, APPROVAL.c.reason, APPROVAL.c.create_ms)
    .where(APPROVAL.c.version_id.in_(_IDS))
    .order_by(APPROVAL.c.version_id, APPROVAL.c.create_ms, APPROVAL.c.subject)
)
_PAGE = (
    sa.select(CONTEXT.c.id)
    .join(PARENT_CONTEXT, PARENT_CONTEXT.c.context_id == CONTEXT.c.id)
    .join(TYPE, _IS_VERSION)
    .outerjoin(NUMBERED, NUMBERED.c.version_id == CONTEXT.c.id)
    .where(PARENT_CONTEXT.c.parent_context_id == _MODEL, CONTEXT.c.id < sa.bindparam("before"))
    .where(sa.or_(NUMBERED.c.model_id == _MODEL, NUMBERED.c.model_id.is_(None)))
    .order_by(CONTEXT.c.id.desc())
    .limit(sa.bindparam("rows", type_=sa.BigInteger))
)
_LIVE_PAGE = _PAGE.outerjoin(CONTEXT_PROPERTY, STATE).where(IS_LIVE)


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody's word that a version is good."""

    subject: str
    reason: str
    create_ms: int


@dataclass(frozen=True, slots=True)
class Version:
    """A version as it is stored. `number` is 0 while it has none, which only a version of another program can."""

    context: pb.Context
    model_id: int
    number: int = 0
    artifact_id: int = 0
    """The artifact in the lineage graph, 0 while nothing is known of its bytes."""
    model_artifact: pb.Artifact | None = None
    """The kf.ModelArtifact."""
    subject: str = ""
    create_ms: int = 0
    aliases: tuple[str, ...] = ()
    approvals: tuple[Approval, ...] = field(default=())
    model_name: str = ""
    """Its model's name, by the store's own tables where they know it."""

    @property
    def id(self) -> int:
        """Id of its context."""
        return self.context.id

    @property
    def name(self) -> str:
        """Its name within the model."""
        return owned_name(self.context.name)

    @property
    def is_archived(self) -> bool:
        """Whether no alias may point at it."""
        return says_archived(self.context)


def owned_name(stored: str | bytes) -> str:
    """Return the name that users see of a node that is stored as `<owner's id>:<name>`; bytes are one that is no UTF-8.

    >>> owned_name("7:scorer"), owned_name("scorer"), owned_name(b"7:sc\\xffrer")
    ('scorer', 'scorer', 'sc\ufffdrer')
    """
    told = clean(stored)
    return told.partition(":")[2] or told


def versions_by_id(tx: Transaction, ids: Sequence[int], *, whole: bool = True) -> list[Version]:
    """Return the versions of these ids, in their order; the statements do not grow with their number.

    Unless `whole` they come without aliases, approvals and kf.ModelArtifact: what a move is judged by needs none.
    """
    contexts = {context.id: context for context in nodes_by_id(tx, Kind.CONTEXT, ids)}
    decode = tx.text.decode
    numbers = {row[0]: (*row[1:-1], clean(decode(row[-1]))) for row in tx.rows_in(_NUMBERS_BY_ID, ids)}
    aliases: dict[int, list[str]] = {}
    for version_id, alias in tx.rows_in(_ALIASES, ids) if whole else ():
        aliases.setdefault(version_id, []).append(alias)
    approvals = approvals_of(tx, ids) if whole else {}
    wanted = {row[3] for row in numbers.values() if row[3] and whole}
    artifacts = {node.id: node for node in nodes_by_id(tx, Kind.ARTIFACT, wanted)} if wanted else {}
    found = []
    for version_id in ids:
        context = contexts.get(version_id)
        if context is None or context.type != MODEL_VERSION:
            continue
        known = numbers.get(version_id)
        model_id, number, artifact_id, model_artifact_id, subject, create_ms, model_name = known or _unknown(context)
        found.append(
            Version(
                context,
                model_id,
                number,
                artifact_id,
                artifacts.get(model_artifact_id),
                subject,
                create_ms,
                tuple(sorted(aliases.get(version_id, ()))),
                tuple(approvals.get(version_id, ())),
                model_name,
            )
        )
    return found


def approvals_of(tx: Transaction, version_ids: Sequence[int]) -> dict[int, list[Approval]]:
    """Return who approves of each of these versions, the first first."""
    approvals: dict[int, list[Approval]] = {}
    for version_id, *approval in tx.rows_in(_APPROVALS, version_ids):
        approvals.setdefault(version_id, []).append(Approval(*approval))
    return approvals


def _unknown(context: pb.Context) -> tuple[int, int, int, int, str, int, str]:
    """Return what is to be believed of a version that another program made: the model that its name begins with."""
    owner = clean(context.name).partition(":")[0]
    model_id = int(owner) if owner.isascii() and owner.isdecimal() else 0
    named = clean(context.properties["model_name"].string_value) if "model_name" in context.properties else ""
    return model_id, 0, 0, 0, "", context.create_time_since_epoch, named


def version_by_id(tx: Transaction, version_id: int, *, whole: bool = True) -> Version:
    """Return the version whose context has this id; raises NotFound."""
    found = versions_by_id(tx, [version_id], whole=whole)
    if not found:
        raise NotFound(f"version: there is no model version with id {version_id}.", NO_VERSION)
    return found[0]


def find_version_id(tx: Transaction, model: Model, version: str) -> int:
    """Return the id of a version by its name, else by its number; raises InvalidArgument, NotFound."""
    if not version:
        raise InvalidArgument("version: is empty; say a version's name or number.")
    found = named_version_id(tx, model.id, version)
    if found is None and version.isascii() and version.isdecimal() and len(version) < 19:
        rows = tx.rows(_BY_NUMBER, {"model": model.id, "wanted": int(version)})
        found = int(rows[0][0]) if rows else None
    if found is None:
        newest = f"its newest is number {model.latest_number}" if model.latest_number else "it has none yet"
        raise NotFound(f"version: the model {model.name!r} has no version {version[:255]!r}; {newest}.", NO_VERSION)
    return found


def named_version_id(tx: Transaction, model_id: int, name: str) -> int | None:
    """Return the id of the version of this name, None when there is none."""
    encoded = tx.text.encode(f"{model_id}:{name}")
    for version_id, stored in tx.rows(_BY_NAME, {"name": encoded}):
        if stored == encoded:
            return int(version_id)
    return None


def find_version(tx: Transaction, model: Model, version: str, *, whole: bool = True) -> Version:
    """Return a version by its name, else by its number; raises InvalidArgument, NotFound."""
    return version_by_id(tx, find_version_id(tx, model, version), whole=whole)


def numbered_version(tx: Transaction, model: Model, number: int, *, whole: bool = True) -> Version:
    """Return the version of this number; raises NotFound."""
    rows = tx.rows(_BY_NUMBER, {"model": model.id, "wanted": number})
    if not rows:
        raise NotFound(f"version: the model {model.name!r} has no version of number {number}.", NO_VERSION)
    return version_by_id(tx, rows[0][0], whole=whole)


def aliased_version(tx: Transaction, model: Model, alias: str) -> Version:
    """Return the version that an alias points at, `latest` the newest that is not archived; raises NotFound."""
    if alias == LATEST:
        rows = tx.rows(_LIVE_PAGE, {"model": model.id, "before": ENDLESS, "rows": 1})
        if not rows:
            raise NotFound(f"alias: the model {model.name!r} has no version that is not archived.", NO_ALIAS)
        return version_by_id(tx, rows[0][0])
    check_alias(alias)
    number = model.aliases.get(alias)
    if number is None:
        raise no_alias(model, alias)
    return numbered_version(tx, model, number)


def no_alias(model: Model, alias: str) -> NotFound:
    """Return the error for an alias that a model does not have."""
    sentence = f"alias: the model {model.name!r} has no alias {alias[:255]!r}; it has {known_aliases(model)}."
    return NotFound(sentence, NO_ALIAS)


def known_aliases(model: Model) -> str:
    """Return the aliases of a model as an error names them."""
    return ", ".join(map(repr, sorted(model.aliases)[:10])) or "none"


def list_model_versions(
    tx: Transaction, model: Model, *, include_archived: bool = False, size: int = 0, token: str = ""
) -> tuple[list[Version], str]:
    """Return a page of a model's versions, newest first, and the token of the next page ("": there is none)."""
    count, before = page_size(size), number_below("model versions", token)
    parameters = {"model": model.id, "before": before, "rows": count + 1}
    rows = tx.rows(_PAGE if include_archived else _LIVE_PAGE, parameters)
    versions = versions_by_id(tx, [row[0] for row in rows[:count]])
    return versions, token_after("model versions", str(rows[count - 1][0])) if len(rows) > count else ""
