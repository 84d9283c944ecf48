"""A lane's law: never more at work or let in than it has room for, in the order of coming, and nobody is forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlmd_api.grpc.lanes import Full, Lane


class Street:
    """Calls in a lane, moved one step at a time as the server's threads do."""

    def __init__(self, places: int) -> None:
        self.lane: Lane[int] = Lane(places)
        self.receiving: list[int] = []
        self.working: list[int] = []
        self.done: list[int] = []
        self.begun: list[int] = []

    def come(self, call: int) -> None:
        """A call is announced."""
        if self.lane.enter(call):
            self.receiving.append(call)

    def arrive(self) -> None:
        """The message of the call that waits longest for it is there."""
        call = self.receiving.pop(0)
        if self.lane.begin(call):
            self._begin(call)

    def finish(self) -> None:
        """One at work is done."""
        self.done.append(self.working.pop(0))
        admitted = self.lane.leave()
        if admitted is not None:
            self.receiving.append(admitted)
        following = self.lane.end()
        if following is not None:
            self._begin(following)

    def _begin(self, call: int) -> None:
        self.begun.append(call)
        self.working.append(call)


@given(st.integers(1, 3), st.lists(st.sampled_from(["come", "arrive", "finish"]), max_size=120))
def test_no_more_than_it_has_room_for_and_nobody_is_forgotten(places: int, steps: list[str]) -> None:
    street, calls = Street(places), 0
    for step in steps:
        if step == "come":
            calls += 1
            street.come(calls)
        elif step == "arrive" and street.receiving:
            street.arrive()
        elif step == "finish" and street.working:
            street.finish()
        assert len(street.working) <= places
        let_in = len(street.receiving) + len(street.begun) - len(street.done)
        assert let_in <= 4 * places
    while street.receiving or street.working:
        street.arrive() if street.receiving else street.finish()
    assert street.done == list(range(1, calls + 1))


def test_no_more_wait_than_may() -> None:
    lane: Lane[int] = Lane(1, waiting=2)
    assert [lane.enter(call) for call in range(6)] == [True] * 4 + [False] * 2
    with pytest.raises(Full):
        lane.enter(6)
    assert lane.leave() == 4
    assert lane.enter(7) is False
