"""Experiments and steps by name: those that are not there, and which were meant."""

from typing import Any

import sqlalchemy as sa
from mlmd_schemas.errors import MISSING, NotFound
from mlmd_schemas.near_names import MOST_NAMES, did_you_mean
from mlmd_schemas.tables.own import RUN
from mlmd_schemas.tables.v10 import CONTEXT, Kind

from mlmd_metadata_store.runs import EXPERIMENT_TYPE, experiment_id
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.type_reads import find_type_id

NO_EXPERIMENT, NO_STEP = {MISSING: "experiment"}, {MISSING: "step"}
"""What an answer tells programs of the name that was not there."""

_ROWS = sa.bindparam("rows", type_=sa.BigInteger)
_BEGINNING = (
    sa.select(CONTEXT.c.name)
    .where(
        CONTEXT.c.type_id == sa.bindparam("type_id"),
        CONTEXT.c.name >= sa.bindparam("first"),
        CONTEXT.c.name < sa.bindparam("last"),
    )
    .order_by(CONTEXT.c.name)
    .limit(_ROWS)
)
_OF_STEP = (
    sa.select(RUN.c.number)
    .where(RUN.c.context_id == sa.bindparam("context"), RUN.c.step == sa.bindparam("wanted_step"))
    .limit(1)
)
_STEPS = sa.select(RUN.c.step).where(RUN.c.context_id == sa.bindparam("context")).distinct().limit(_ROWS)


def known_experiment(tx: Transaction, experiment: str) -> int:
    """Return the id of an experiment's context; raises NotFound, which asks whether another was meant."""
    found = experiment_id(tx, experiment)
    if found is not None:
        return found
    type_id, first, encode = find_type_id(tx, Kind.CONTEXT, EXPERIMENT_TYPE), experiment[:1], tx.text.encode
    bounds = {"type_id": type_id, "first": encode(first), "last": encode(f"{first}\U0010ffff"), "rows": MOST_NAMES}
    names: Any = tx.rows(_BEGINNING, bounds) if type_id is not None else []
    mend = did_you_mean(experiment, [tx.text.decode(row[0]) for row in names]) or "; its first run makes it."
    raise NotFound(f"experiment: there is no experiment {experiment[:255]!r}{mend}", NO_EXPERIMENT)


def require_step(tx: Transaction, experiment: str, context_id: int, step: str) -> None:
    """Raise NotFound when an experiment never had a run of a step, with the steps that it has."""
    if tx.rows(_OF_STEP, {"context": context_id, "wanted_step": step}):
        return
    steps: Any = sorted(row[0] for row in tx.rows(_STEPS, {"context": context_id, "rows": MOST_NAMES}))
    mend = did_you_mean(step, steps) or f"; it has {', '.join(map(repr, steps[:10])) or 'none'}."
    raise NotFound(f"step: the experiment {experiment!r} has no step {step[:255]!r}{mend}", NO_STEP)
