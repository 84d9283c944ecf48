"""Registered models: contexts of type kf.RegisteredModel, each of which is the collection of its versions.

Every function takes the transaction of its caller. What writes takes `pb.Context` messages with the properties that
Kubeflow's mapping gives them, so that our own service and Kubeflow's REST API share one rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from mlmd_lineage.plain_values import clean
from mlmd_metadata_store.keyset_tokens import key_of_token, page_size, token_after
from mlmd_metadata_store.node_rows import nodes_by_id
from mlmd_metadata_store.node_writes import Rules, create_nodes, put_nodes
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.type_reads import is_context_of
from mlmd_metadata_store.update_mask import EVERYTHING, UpdateMask, mask_of_keys
from mlmd_metadata_store.version_collections import CollectionRow, find_locked, lock_collection, start_collection
from mlmd_schemas.errors import MISSING, AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from mlmd_schemas.near_names import MOST_NAMES, did_you_mean
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.own import ALIAS, COLLECTION
from mlmd_schemas.tables.v10 import CONTEXT, CONTEXT_PROPERTY, TYPE, Kind

from mlmd_model_registry.changes import touch
from mlmd_model_registry.kubeflow_types import ARCHIVED, LIVE, REGISTERED_MODEL, put_kubeflow_types
from mlmd_model_registry.numbering import number_strangers
from mlmd_model_registry.running import require_unserved_model

NO_MODEL = {MISSING: "model"}
_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_IS_MODEL = is_context_of(REGISTERED_MODEL)
_MODELS = sa.select(CONTEXT.c.id, CONTEXT.c.name).join(TYPE, _IS_MODEL)
_BY_NAME = _MODELS.where(CONTEXT.c.name == sa.bindparam("name"))
_BY_ID = _MODELS.where(CONTEXT.c.id.in_(_IDS))
_COUNTERS = (
    sa.select(
        COLLECTION.c.context_id, COLLECTION.c.latest_number, COLLECTION.c.move_sequence, ALIAS.c.alias, ALIAS.c.number
    )
    .outerjoin(ALIAS, ALIAS.c.context_id == COLLECTION.c.context_id)
    .where(COLLECTION.c.context_id.in_(_IDS))
)
_POINTS_AT = (
    sa.select(CONTEXT.c.name, ALIAS.c.number)
    .join(TYPE, _IS_MODEL)
    .outerjoin(ALIAS, sa.and_(ALIAS.c.context_id == CONTEXT.c.id, ALIAS.c.alias == sa.bindparam("alias")))
    .where(CONTEXT.c.name == sa.bindparam("name"))
)
STATE = sa.and_(
    CONTEXT_PROPERTY.c.context_id == CONTEXT.c.id,
    CONTEXT_PROPERTY.c.name == "state",
    CONTEXT_PROPERTY.c.is_custom_property == 0,
)
"""How the `state` of a model or version is joined to its context; IS_LIVE is said of that."""
IS_LIVE = sa.or_(CONTEXT_PROPERTY.c.string_value.is_(None), CONTEXT_PROPERTY.c.string_value != ARCHIVED)
_PAGE = (
    _MODELS.outerjoin(CONTEXT_PROPERTY, STATE)
    .where(CONTEXT.c.name > sa.bindparam("after"), CONTEXT.c.name >= sa.bindparam("prefix"))
    .where(CONTEXT.c.name < sa.bindparam("before"))
    .order_by(CONTEXT.c.name)
    .limit(sa.bindparam("rows", type_=sa.BigInteger))
)
_LIVE_PAGE = _PAGE.where(IS_LIVE)
_LAST = "\U0010ffff"
LONGEST_NAME = 255
"""Characters of a stored name; SQLite would take more, and then the facts could not move to MySQL."""
Keys = tuple[frozenset[str], frozenset[str]]
"""The properties and the custom properties that a change touches."""


@dataclass(frozen=True, slots=True)
class Model:
    """A registered model as it is stored."""

    context: pb.Context
    latest_number: int = 0
    move_sequence: int = 0
    aliases: dict[str, int] = field(default_factory=dict)

    @property
    def id(self) -> int:
        """Id of its context."""
        return self.context.id

    @property
    def name(self) -> str:
        """Its name, which never changes."""
        return clean(self.context.name)

    @property
    def is_archived(self) -> bool:
        """Whether it takes no new versions and moves."""
        return says_archived(self.context)


def says_archived(context: pb.Context) -> bool:
    """Tell whether the `state` of a model or version is ARCHIVED."""
    return "state" in context.properties and context.properties["state"].string_value == ARCHIVED


def create_model(tx: Transaction, given: pb.Context, field: str = "name") -> Model:
    """Make a registered model of a context without id and type; raises InvalidArgument, AlreadyExists.

    `field` is where the caller gave its name.
    """
    _check_name(tx, given.name, field)
    (type_id,) = put_kubeflow_types(tx, REGISTERED_MODEL)
    context = pb.Context()
    context.CopyFrom(given)
    context.ClearField("id")
    context.type_id = type_id
    if "state" not in context.properties:
        context.properties["state"].string_value = LIVE
    check_state(context)
    try:
        (model_id,) = create_nodes(tx, Kind.CONTEXT, [context])
    except AlreadyExists as error:
        what = f"named {given.name!r}"
        if given.external_id:
            what += f", or a context with external_id {given.external_id!r},"
        raise AlreadyExists(
            f"{field}: a registered model {what} is there already; read it, or choose another name."
        ) from error
    start_collection(tx, model_id)
    touch(tx)
    return model_by_id(tx, model_id)


def _check_name(tx: Transaction, name: str, field: str) -> None:
    if not name or name != name.strip() or not name.isprintable():
        raise InvalidArgument(f"{field}: {name[:80]!r} is empty, begins or ends with space, or is not printable.")
    if not fits(tx, name):
        raise InvalidArgument(f"{field}: {name[:40]!r}… is longer than {LONGEST_NAME} characters.")


def fits(tx: Transaction, stored: str) -> bool:
    """Tell whether a name as it is stored has room in the column of every database."""
    return len(tx.text.encode(stored)) <= LONGEST_NAME


def check_state(context: pb.Context) -> None:
    """Raise InvalidArgument for a `state` that is neither LIVE nor ARCHIVED."""
    state = context.properties["state"].string_value
    if state not in (LIVE, ARCHIVED):
        raise InvalidArgument(f"state: {state[:40]!r} is neither {LIVE} nor {ARCHIVED}.")


def find_model(tx: Transaction, name: str) -> Model:
    """Return the model of this name; raises NotFound."""
    found = find_model_id(tx, name)
    if found is None:
        mend = _near(tx, name) or "; ListModels lists them."
        raise NotFound(f"model: there is no registered model {name[:255]!r}{mend}", NO_MODEL)
    return _models(tx, [found])[found]


def _near(tx: Transaction, name: str) -> str:
    """Ask whether a model was meant whose name begins with the same letter."""
    encode, first = tx.text.encode, name[:1]
    bounds = {"after": "", "prefix": encode(first), "before": encode(first + _LAST), "rows": MOST_NAMES}
    rows = tx.rows(_PAGE, bounds)
    return did_you_mean(name, [tx.text.decode(stored) for _, stored in rows])


def locked_by_name(tx: Transaction, name: str) -> Model:
    """Return the model of this name, locked until the transaction ends; raises NotFound."""
    found = find_model_id(tx, name)
    if found is None:
        return find_model(tx, name)  # which says that there is none
    lock_model(tx, found)
    return _models(tx, [found])[found]


def find_model_id(tx: Transaction, name: str) -> int | None:
    """Return the id of the model of this name, None when there is none."""
    encoded = tx.text.encode(name)
    for model_id, stored in tx.rows(_BY_NAME, {"name": encoded}):
        if stored == encoded:  # a database that compares without case finds other spellings too
            return int(model_id)
    return None


def pointed_number(tx: Transaction, name: str, alias: str) -> int | None:
    """Return where an alias of the model of this name points, 0 for nowhere; None when there is no such model."""
    encoded = tx.text.encode(name)
    for stored, number in tx.rows(_POINTS_AT, {"name": encoded, "alias": alias}):
        if stored == encoded:
            return number or 0
    return None


def model_by_id(tx: Transaction, model_id: int) -> Model:
    """Return the model of this id; raises NotFound."""
    found = models_by_id(tx, [model_id])
    if not found:
        raise NotFound(f"model: there is no registered model with id {model_id}.", NO_MODEL)
    return found[0]


def models_by_id(tx: Transaction, ids: Sequence[int]) -> list[Model]:
    """Return those of these ids that are registered models, in their order; four statements however many they are."""
    models = _models(tx, [model_id for model_id, _ in tx.rows_in(_BY_ID, ids)])
    return [models[model_id] for model_id in ids if model_id in models]


def _models(tx: Transaction, ids: Sequence[int]) -> dict[int, Model]:
    """Return models, of which it is known that they are, by id."""
    counters: dict[int, tuple[int, int]] = {}
    aliases: dict[int, dict[str, int]] = {}
    for model_id, latest, moves, alias, number in tx.rows_in(_COUNTERS, ids):
        counters[model_id] = (latest, moves)
        if alias is not None:
            aliases.setdefault(model_id, {})[alias] = number
    return {
        context.id: Model(context, *counters.get(context.id, (0, 0)), aliases.get(context.id, {}))
        for context in nodes_by_id(tx, Kind.CONTEXT, ids)
    }


def list_models(
    tx: Transaction, *, prefix: str = "", include_archived: bool = False, size: int = 0, token: str = ""
) -> tuple[list[Model], str]:
    """Return a page of models by name and the token of the next page ("": there is none)."""
    count, after = page_size(size), key_of_token("models", token)
    encode = tx.text.encode
    bounds = {"after": encode(after), "prefix": encode(prefix), "before": encode(prefix + _LAST)}
    rows = tx.rows(_PAGE if include_archived else _LIVE_PAGE, {**bounds, "rows": count + 1})
    models = models_by_id(tx, [row[0] for row in rows[:count]])
    return models, token_after("models", models[-1].name) if len(rows) > count and models else ""


def change_model(tx: Transaction, model_id: int, given: pb.Context, keys: Keys) -> Model:
    """Change some properties and some custom properties of a model; keys that `given` lacks are taken away."""
    model_by_id(tx, model_id)
    return _put(tx, model_id, given, mask_of_keys(*keys))


def replace_model(tx: Transaction, model_id: int, given: pb.Context) -> Model:
    """Put all properties, custom properties and the external id of a model; its name stays."""
    stored = model_by_id(tx, model_id)
    if given.name and given.name != stored.name:
        raise InvalidArgument(f"name: {stored.name!r} cannot become {given.name!r}; a model keeps its name.")
    return _put(tx, model_id, given, EVERYTHING, name=stored.name)


def _put(tx: Transaction, model_id: int, given: pb.Context, mask: UpdateMask, name: str = "") -> Model:
    context = pb.Context()
    context.CopyFrom(given)
    context.id = model_id
    context.ClearField("type_id")
    context.ClearField("type")
    if name:
        context.name = name
    if "state" in context.properties:
        check_state(context)
        if says_archived(context) and not model_by_id(tx, model_id).is_archived:
            require_unserved_model(tx, model_id)
    put_kubeflow_types(tx, REGISTERED_MODEL)
    put_nodes(tx, Kind.CONTEXT, [context], Rules(mask))
    touch(tx)
    return model_by_id(tx, model_id)


def set_model_state(tx: Transaction, model_id: int, state: str) -> Model:
    """Archive or restore a model; raises FailedPrecondition when it would be archived while a service runs it."""
    given = pb.Context()
    given.properties["state"].string_value = state
    return change_model(tx, model_id, given, (frozenset({"state"}), frozenset()))


def require_live(model: Model) -> None:
    """Raise FailedPrecondition when a model is archived."""
    if model.is_archived:
        raise FailedPrecondition(f"model: {model.name!r} is archived; restore it first.")


def lock_model(tx: Transaction, model_id: int) -> CollectionRow:
    """Return a model's counters, locked until the transaction ends.

    A model that another program wrote has none yet: it gets them, and its versions their numbers, in the order of
    their ids.
    """
    row = find_locked(tx, model_id)
    if row is not None:
        return row
    start_collection(tx, model_id)
    return number_strangers(tx, lock_collection(tx, model_id))
