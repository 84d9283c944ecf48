"""A lane's law: never more at work or let in than it has room for, in the order of coming, and nobody is forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlmd_api.grpc.lanes import LITTLE_BYTES, PATIENCE_SECONDS, SOON_SECONDS, Full, Lane

MOST_BYTES = 10 * LITTLE_BYTES
SIZES = st.sampled_from([1, LITTLE_BYTES, 4 * LITTLE_BYTES, MOST_BYTES, 2 * MOST_BYTES])


class Street:
    """Calls in a lane, moved one step at a time as the server's threads do."""

    def __init__(self, places: int) -> None:
        self.now = 0.0
        self.tight = False
        self.lane: Lane[int] = Lane(places, 10_000, MOST_BYTES, lambda: self.tight, lambda: self.now)
        self.receiving: list[int] = []
        self.working: list[int] = []
        self.done: list[int] = []
        self.begun: list[int] = []
        self.left = 0
        self.sizes: dict[int, int] = {}

    def come(self, call: int, size_bytes: int = 1) -> None:
        """A call is announced."""
        self.sizes[call] = size_bytes
        if self.lane.enter(call):
            self.receiving.append(call)

    def arrive(self) -> None:
        """The message of the call that waits longest for it is there."""
        call = self.receiving.pop(0)
        if self.lane.begin(call, self.sizes[call]):
            self._begin(call)
        self.admit()

    def leave(self) -> None:
        """The caller of the call that waits longest for its message is gone."""
        self.lane.leave(self.receiving.pop(0))
        self.left += 1
        self.admit()

    def finish(self) -> None:
        """One at work is done."""
        self.done.append(self.working.pop(0))
        following = self.lane.end(self.sizes[self.done[-1]])
        self.admit()
        if following is not None:
            self._begin(following)

    def admit(self) -> None:
        """Let in whoever may come."""
        while (admitted := self.lane.admitted()) is not None:
            self.receiving.append(admitted)

    def _begin(self, call: int) -> None:
        self.begun.append(call)
        self.working.append(call)

    def large_at_work(self) -> list[int]:
        """The sizes of the large ones at work."""
        return [self.sizes[call] for call in self.working if self.sizes[call] > LITTLE_BYTES]


STEPS = st.lists(st.tuples(st.sampled_from(["come", "come", "arrive", "leave", "finish"]), SIZES), max_size=120)


@given(st.integers(1, 3), STEPS)
def test_no_more_than_it_has_room_for_and_nobody_is_forgotten(places: int, steps: list[tuple[str, int]]) -> None:
    street, calls = Street(places), 0
    for step, size_bytes in steps:
        if step == "come":
            calls += 1
            street.come(calls, size_bytes)
        elif step in ("arrive", "leave") and street.receiving:
            getattr(street, step)()
        elif step == "finish" and street.working:
            street.finish()
        assert len(street.working) <= places
        assert len(street.receiving) <= 4
        large = street.large_at_work()
        assert len(large) <= 1 or sum(large) <= MOST_BYTES
    while street.receiving or street.working:
        street.arrive() if street.receiving else street.finish()
    assert len(street.done) + street.left == calls


@given(st.integers(1, 3), st.lists(st.sampled_from(["come", "arrive", "finish"]), max_size=120))
def test_the_first_to_come_is_the_first_to_be_served(places: int, steps: list[str]) -> None:
    street, calls = Street(places), 0
    for step in steps:
        if step == "come":
            calls += 1
            street.come(calls)
        elif step == "arrive" and street.receiving:
            street.arrive()
        elif step == "finish" and street.working:
            street.finish()
        assert len(street.receiving) + len(street.begun) - len(street.done) <= 4 * places
    while street.receiving or street.working:
        street.arrive() if street.receiving else street.finish()
    assert street.done == list(range(1, calls + 1))


def test_a_little_one_overtakes_large_ones_that_wait_to_be_worked_on() -> None:
    street = Street(2)
    for call, size_bytes in enumerate([MOST_BYTES, MOST_BYTES, 1]):
        street.come(call, size_bytes)
    for _ in range(3):
        street.arrive()
    assert street.working == [0, 2]
    street.finish()
    assert street.working == [2, 1]


def test_none_begins_its_way_while_too_much_is_there() -> None:
    street = Street(2)
    for call in range(3):
        street.come(call, MOST_BYTES)
    street.arrive()
    street.arrive()
    street.come(3, 1)
    assert (street.receiving, street.working) == ([2], [0])
    street.finish()
    assert street.receiving == [2, 3]


def test_what_does_not_come_soon_keeps_nobody_out_unless_memory_is_tight() -> None:
    street = Street(2)
    for call in range(6):
        street.come(call)
    assert street.receiving == [0, 1, 2, 3]
    street.now += SOON_SECONDS
    street.tight = True
    street.admit()
    assert street.receiving == [0, 1, 2, 3]
    street.tight = False
    street.admit()
    assert street.receiving == [0, 1, 2, 3, 4, 5]


def test_who_does_not_send_is_overdue_when_others_wait_or_memory_is_tight() -> None:
    street = Street(1)
    for call in range(4):
        street.come(call)
    street.now += PATIENCE_SECONDS + 1
    assert street.lane.overdue() == []
    street.come(4)
    assert street.lane.overdue() == [0, 1, 2, 3]
    street.leave()
    assert street.receiving == [1, 2, 3, 4]
    assert street.lane.overdue() == []
    street.now += SOON_SECONDS + 0.1
    street.tight = True
    assert street.lane.overdue() == [1, 2, 3, 4]


def test_no_more_wait_than_may() -> None:
    lane: Lane[int] = Lane(1, waiting=2)
    assert [lane.enter(call) for call in range(6)] == [True] * 4 + [False] * 2
    with pytest.raises(Full):
        lane.enter(6)
    lane.leave(0)
    assert lane.admitted() == 4
    assert lane.enter(7) is False
