"""Putting nodes of any kind, and getting what is stored of them."""

from typing import Any

from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.metadata_store.calls import Calls, node

KINDS = {
    "Artifact": (pb.Artifact, pb.ArtifactType, "artifact"),
    "Execution": (pb.Execution, pb.ExecutionType, "execution"),
    "Context": (pb.Context, pb.ContextType, "context"),
}
ALL_KINDS = {"i": pb.INT, "d": pb.DOUBLE, "s": pb.STRING, "st": pb.STRUCT, "p": pb.PROTO, "b": pb.BOOLEAN}


def put_type(call: Calls, kind: str, name: str = "T", **properties: int) -> int:
    _, message, noun = KINDS[kind]
    made = call(f"Put{kind}Type", **{f"{noun}_type": message(name=name, properties=properties)})
    return int(made.type_id)


def put(call: Calls, kind: str, *nodes: Any, **more: Any) -> list[int]:
    noun = KINDS[kind][2]
    return list(getattr(call(f"Put{kind}s", **{f"{noun}s": nodes}, **more), f"{noun}_ids"))


def code(call: Calls, kind: str, *nodes: Any, **more: Any) -> Code:
    return call.code(f"Put{kind}s", **{f"{KINDS[kind][2]}s": nodes}, **more)


def get(call: Calls, kind: str, node_id: int) -> Any:
    noun = KINDS[kind][2]
    (found,) = getattr(call(f"Get{kind}sByID", **{f"{noun}_ids": [node_id]}), f"{noun}s")
    return found


def absent(call: Calls, kind: str) -> bool:
    return not getattr(call(f"Get{kind}s"), f"{KINDS[kind][2]}s")


def full_artifact(dataset: int, name: str = "n") -> pb.Artifact:
    made: pb.Artifact = node(
        pb.Artifact, {"i": 1, "s": "x"}, {"c": 1}, type_id=dataset, name=name, uri="u", external_id=f"e {name}"
    )
    made.state = pb.Artifact.LIVE
    return made
