"""Sessions of generated requests on our store and on Google's core: the same codes, answers, rows and times.

CI makes the same sessions each time. `make differential` makes many others; MLMD_DIFFERENTIAL_SESSIONS says how many
for each of the shards, MLMD_DIFFERENTIAL_SEED which. A session that differs is shown at its shortest, as text, followed
by what differed.
"""

import os
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

from tests.differential.conftest import Pairs
from tests.differential.prelude import prelude
from tests.differential.sessions import Step, any_step
from tests.differential.source import Source

pytestmark = [pytest.mark.reference, pytest.mark.slow, pytest.mark.timeout(0)]

LONG = os.environ.get("MLMD_DIFFERENTIAL") == "long"
SHARDS = 8 if LONG else 2
SESSIONS = int(os.environ.get("MLMD_DIFFERENTIAL_SESSIONS", "400" if LONG else "30"))
SEED = int(os.environ.get("MLMD_DIFFERENTIAL_SEED", random.getrandbits(31) if LONG else 0))
STEPS = 60


@st.composite
def steps(draw: Any, *, wide: bool) -> Step | None:
    """Return one step of a session; the simplest is none."""
    source = Source.of_draw(draw)
    return any_step(source, wide=wide) if source.below(50) else None


def compare(pairs: Pairs, shard: int, *, wide: bool) -> None:
    """Compare sessions; raises the shortest one that differs."""

    @seed(SEED + shard)
    @settings(
        max_examples=SESSIONS,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(steps(wide=wide), min_size=STEPS, max_size=STEPS))
    def one(session: list[Step | None]) -> None:
        with pairs() as comparison:
            comparison.run([*prelude(), *filter(None, session)])

    one()


@pytest.mark.parametrize("shard", range(SHARDS))
def test_sessions_on_sqlite_go_as_on_googles_server(sqlite_pairs: Pairs, shard: int) -> None:
    compare(sqlite_pairs, shard, wide=True)
