"""Whoever has a stream open is asked for again, also after one of those checks failed in a way that nobody foresaw."""

import logging
import threading

import pytest
from mlmd_api import revocation
from mlmd_api.revocation import Revocation
from mlmd_api.streaming import Stream
from mlmd_schemas.errors import Code, Unauthenticated


def test_a_defect_in_one_check_ends_its_stream_and_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(revocation, "LOOK_EVERY_SECONDS", 0.01)
    watched, taken_back, asked = Revocation(), threading.Event(), threading.Event()
    broken, steady = Stream("broken"), Stream("steady")

    def fail() -> None:
        raise RuntimeError("the secret cause")

    def look() -> None:
        if taken_back.is_set():
            raise Unauthenticated("token: it was taken back.")
        asked.set()

    with caplog.at_level(logging.ERROR):
        watched.watch(broken, fail)
        assert broken.gone.wait(30)
    watched.watch(steady, look)
    assert asked.wait(30)
    assert not steady.gone.is_set()
    taken_back.set()
    assert steady.gone.wait(30)
    refusals = broken.refusal, steady.refusal
    assert [refusal and refusal.code for refusal in refusals] == [Code.INTERNAL, Code.UNAUTHENTICATED]
    assert "secret" not in str(broken.refusal)
    assert "the secret cause" in caplog.text
