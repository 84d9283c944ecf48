"""How the parent of the workers goes on when they fail."""

from mlmd_server.workers import pause_seconds


def test_the_pause_grows_and_is_bounded_however_often_workers_fail() -> None:
    pauses = [pause_seconds(failures) for failures in (0, 1, 2, 3, 6, 1_023, 1_024, 10**6)]
    assert [round(pause, 3) for pause in pauses] == [0.0, 0.1, 0.3, 0.7, 4.9, 4.9, 4.9, 4.9]
