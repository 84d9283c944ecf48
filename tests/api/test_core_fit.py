"""Threads on gRPC core's queue are used where they work with the grpcio that is installed, and nowhere else."""

import logging
from typing import Any

import grpc
import pytest
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # compiled, without stubs
from mlmd_api.grpc import core_call, core_fit, core_server


class Changed:
    """A binding of gRPC core that is the real one but for one name."""

    def __init__(self, name: str, value: Any) -> None:
        self._real, self._name, self._value = cygrpc, name, value

    def __getattr__(self, name: str) -> Any:
        return self._value if name == self._name else getattr(self._real, name)


def wanting(*arguments: Any) -> Any:
    """Refuse what the real one takes."""
    raise TypeError("one argument more is wanted")


@pytest.fixture
def unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The grpcio that is installed, under a number that nobody knows."""
    monkeypatch.setattr(grpc, "__version__", "9.0.0.dev0")


def test_the_installed_version_was_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_server, "cygrpc", None)  # so that a probe would fail
    assert core_fit.core_fits()


@pytest.mark.usefixtures("unknown")
def test_a_version_nobody_knows_is_tried(caplog: pytest.LogCaptureFixture) -> None:
    assert core_fit.core_fits()
    assert not caplog.records


@pytest.mark.usefixtures("unknown")
@pytest.mark.parametrize(
    ("module", "name"),
    [(core_server, "CompletionQueue"), (core_server, "Server"), (core_call, "ReceiveMessageOperation")],
)
def test_a_binding_that_changed_is_not_used(
    module: Any, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(core_fit, "_WAIT_SECONDS", 1.0)  # how long a call that is never answered is waited for
    monkeypatch.setattr(module, "cygrpc", Changed(name, wanting))
    with caplog.at_level(logging.WARNING):
        assert not core_fit.core_fits()
    (warning,) = (record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)
    assert warning.startswith("grpcio 9.0.0.dev0 is not a version")


@pytest.mark.usefixtures("unknown")
def test_another_answer_than_was_given_is_no_fit(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    send = cygrpc.SendMessageOperation
    monkeypatch.setattr(core_call, "cygrpc", Changed("SendMessageOperation", lambda message, flags: send(b"no", flags)))
    with caplog.at_level(logging.WARNING):
        assert not core_fit.core_fits()
    assert "another message" in caplog.text
