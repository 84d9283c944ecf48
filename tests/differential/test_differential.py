"""Sessions of generated requests on our store and on Google's core: the same codes, answers, rows and times.

The same holds for a database that Google's core made and that both write by turns.

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

from tests.differential.conftest import COUNTS, Pairs
from tests.differential.prelude import prelude
from tests.differential.sessions import Step, session
from tests.differential.source import Source

pytestmark = [pytest.mark.reference, pytest.mark.slow, pytest.mark.timeout(0)]

LONG = os.environ.get("MLMD_DIFFERENTIAL") == "long"
SHARDS = 8 if LONG else 2
SESSIONS = int(os.environ.get("MLMD_DIFFERENTIAL_SESSIONS", "400" if LONG else "60"))
SEED = int(os.environ.get("MLMD_DIFFERENTIAL_SEED", random.getrandbits(31) if LONG else 0))
STEPS = 60
ROUND = 10
"""Sessions in one run of Hypothesis; after ten it makes most of a session from parts of those before."""


@st.composite
def sessions(draw: Any, *, wide: bool) -> list[Step]:
    """Return a session, to come after the prelude."""
    return session(Source.of_draw(draw), STEPS, wide=wide)


def compare(pairs: Pairs, shard: int, count: int, *, wide: bool) -> None:
    """Compare so many sessions; raises the shortest one that differs."""
    before = sum(COUNTS.values())
    for number in range(-(-count // ROUND)):
        compare_round(pairs, SEED + 10_000 * shard + number, wide=wide)
    assert sum(COUNTS.values()) - before > count * STEPS // 2, "sessions that do little show little"


def compare_round(pairs: Pairs, number: int, *, wide: bool) -> None:
    """Compare the sessions of one run of Hypothesis."""

    @seed(number)
    @settings(
        max_examples=ROUND,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(sessions(wide=wide))
    def one(steps: list[Step]) -> None:
        with pairs() as comparison:
            comparison.run([*prelude(), *steps])

    one()


@pytest.mark.parametrize("shard", range(SHARDS))
def test_sessions_on_sqlite_go_as_on_googles_server(sqlite_pairs: Pairs, shard: int) -> None:
    compare(sqlite_pairs, shard, SESSIONS, wide=True)


@pytest.mark.parametrize("shard", range(SHARDS // 2))
def test_sessions_on_a_file_that_both_write_go_as_on_googles_server(shared_pairs: Pairs, shard: int) -> None:
    compare(shared_pairs, 2 * SHARDS + shard, -(-SESSIONS // 6), wide=True)


@pytest.mark.parametrize("shard", range(SHARDS // 2))
def test_sessions_on_mariadb_go_as_on_googles_server(maria_pairs: Pairs, shard: int) -> None:
    compare(maria_pairs, SHARDS + shard, -(-SESSIONS // 6), wide=False)


@pytest.mark.parametrize("shard", range(SHARDS // 2))
def test_sessions_on_a_mariadb_that_both_write_go_as_on_googles_server(shared_maria_pairs: Pairs, shard: int) -> None:
    compare(shared_maria_pairs, 3 * SHARDS + shard, -(-SESSIONS // 6), wide=False)
