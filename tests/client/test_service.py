"""The SDK names a call by what it takes and what answers it."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from mlmd_client.service import Service, path_of
from mlmd_schemas import pb
from mlmd_schemas.pb import metadata_store_service_pb2 as mlmd
from mlmd_schemas.pb.v1 import runs_pb2


def methods() -> Iterator[tuple[object, MethodDescriptor]]:
    """Yield every method of every service that we define, with the module that has its messages."""
    (root,) = pb.__path__
    for file in sorted(Path(root).rglob("*_pb2.py")):
        module = import_module(f"mlmd_schemas.pb.{'.'.join(file.relative_to(root).with_suffix('').parts)}")
        for service in module.DESCRIPTOR.services_by_name.values():
            yield from ((module, method) for method in service.methods)


def test_every_method_is_found_by_its_messages_alone() -> None:
    found = 0
    for module, method in methods():
        asked, answer = getattr(module, method.input_type.name), getattr(module, method.output_type.name)
        assert path_of(asked, answer) == f"/{method.containing_service.full_name}/{method.name}"
        found += 1
    assert found > 100


@pytest.mark.parametrize("answer", [runs_pb2.GetRunResponse, mlmd.GetArtifactsResponse])
def test_an_answer_of_another_method_is_no_call(answer: type[Message]) -> None:
    with pytest.raises(TypeError, match=rf"takes mlmd.v1.StartRunRequest and answers {answer.DESCRIPTOR.full_name}"):
        path_of(runs_pb2.StartRunRequest, answer)


class Noting:
    """A transport that answers each call at once, and notes how long it might have taken."""

    target = "nowhere"

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def unary(self, path: str, request: Message, answer: type[Any], *, timeout_seconds: float, **_: Any) -> Any:
        """Answer with nothing."""
        self.seconds.append(timeout_seconds)
        return answer()


@pytest.mark.parametrize(("within_seconds", "least", "most"), [(None, 60, 60), (3600.0, 3000, 3600), (5.0, 1, 5)])
def test_one_attempt_may_take_all_the_time_that_a_call_has(
    within_seconds: float | None, least: float, most: float
) -> None:
    transport: Any = Noting()
    service = Service(transport)
    service.read(runs_pb2.GetRunRequest(), runs_pb2.GetRunResponse, within_seconds=within_seconds)
    service.write(runs_pb2.StartRunRequest(), runs_pb2.StartRunResponse, within_seconds=within_seconds)
    assert [least <= seconds <= most for seconds in transport.seconds] == [True, True], transport.seconds
