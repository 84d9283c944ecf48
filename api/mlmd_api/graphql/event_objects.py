"""Events: what connects executions with the artifacts that they used and made."""

from typing import Any

import graphene
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import Kind

from mlmd_api.graphql import entities
from mlmd_api.graphql.batches import StoredEvent, events, nodes
from mlmd_api.graphql.entities import databases_id, define, entity
from mlmd_api.graphql.enums import enum_of
from mlmd_api.graphql.objects import made_object, many, resolved
from mlmd_api.graphql.scalars import DateTime, Int64, text, time_text

PathStep = made_object(
    "PathStep",
    {
        "index": resolved(Int64, lambda step, _info: step.index if step.HasField("index") else None),
        "key": resolved(graphene.String, lambda step, _info: text(step.key) if step.HasField("key") else None),
    },
    description="A step of the path by which an execution knows an artifact: a place or a name.",
)


def _of_message(field: str, kind: Any) -> Any:
    return resolved(kind, lambda event, _info: getattr(event.message, field) if event.message.HasField(field) else None)


def _end(kind: Kind) -> Any:
    field = f"{kind.name.lower()}_id"
    return resolved(
        entity(kind.name.capitalize()),
        lambda event, info: info.context.loading.load(nodes, getattr(event.message, field), kind),
    )


def _time(event: StoredEvent, _info: Any) -> str | None:
    message = event.message
    return time_text(message.milliseconds_since_epoch) if message.HasField("milliseconds_since_epoch") else None


def event_fields() -> dict[str, Any]:
    """Return the fields of an event."""
    return {
        "databaseId": databases_id("event's row"),
        "type": _of_message("type", enum_of(pb.Event.Type.DESCRIPTOR)),
        "path": resolved(many(PathStep), lambda event, _info: list(event.message.path.steps)),
        "timeMs": _of_message("milliseconds_since_epoch", Int64),
        "time": resolved(DateTime, _time),
        "artifactId": _of_message("artifact_id", Int64),
        "executionId": _of_message("execution_id", Int64),
        "artifact": _end(Kind.ARTIFACT),
        "execution": _end(Kind.EXECUTION),
    }


def define_events() -> None:
    """Make the object type of events."""
    kind = entities.Kind("Event", (int,), lambda session, key: session.loading.load(events, key[0]))
    define(kind, StoredEvent, lambda event: (event.id,), event_fields(), "An execution used or made an artifact.")
