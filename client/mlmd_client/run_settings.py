"""What a run is told at its start."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import runs_pb2 as v1

from mlmd_client.places import Place


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How a run is started and ended; times in seconds.

    >>> RunSettings("churn", "train").timeout_seconds
    60.0
    """

    experiment: str
    step: str
    type_name: str = ""
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    """Of the run that is joined, or a fresh one."""
    is_joined: bool = False
    place: Place = field(default_factory=Place)
    properties: Mapping[str, pb.Value] = field(default_factory=dict)
    timeout_seconds: float = 60.0
    finish_seconds: float = 20.0

    def start_request(self) -> v1.StartRunRequest:
        """Return the call that starts such a run.

        >>> RunSettings("churn", "train").start_request().timeout_ms
        60000
        """
        execution = pb.Execution(custom_properties=self.properties)
        return v1.StartRunRequest(
            experiment=self.experiment,
            step=self.step,
            type_name=self.type_name,
            execution=execution.SerializeToString(deterministic=True),
            token=self.token,
            timeout_ms=int(self.timeout_seconds * 1000),
            join_key=self.place.key,
        )

    def as_joined(self, token: str) -> "RunSettings":
        """Return what joins the run of a token and is otherwise the same.

        >>> RunSettings("churn", "train").as_joined("t").is_joined
        True
        """
        return replace(self, token=token, is_joined=True)
