"""What an artifact is an output of, recorded where it becomes LIVE: the event, and the context of what made it."""

import sqlalchemy as sa
from mlmd_metadata_store.event_writes import store_events
from mlmd_metadata_store.link_writes import store_links
from mlmd_metadata_store.node_ids import existing_ids
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.errors import Aborted, AlreadyExists, InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from mlmd_schemas.tables.v10 import EVENT, Kind

_THERE = sa.select(EVENT.c.id).where(
    EVENT.c.artifact_id == sa.bindparam("artifact"),
    EVENT.c.execution_id == sa.bindparam("execution"),
    EVENT.c.type == pb.Event.OUTPUT,
)


def made_by_of(request: v1.CommitUploadRequest) -> v1.MadeBy | None:
    """Return what a commit says that made the artifact, None when it says nothing; raises InvalidArgument."""
    if not request.HasField("made_by"):
        return None
    if request.made_by.execution_id <= 0:
        raise InvalidArgument(
            f"made_by.execution_id: {request.made_by.execution_id} is no id of an execution; name the one that made "
            "the artifact, or leave made_by out."
        )
    return request.made_by


def note_output(tx: Transaction, artifact_id: int, made_by: v1.MadeBy) -> None:
    """Record an artifact as an output of an execution, and as a member of a context; what is recorded stays.

    Raises InvalidArgument for an execution or a context that is not there.
    """
    _check_there(tx, Kind.EXECUTION, made_by.execution_id)
    if not tx.rows(_THERE, {"artifact": artifact_id, "execution": made_by.execution_id}):
        event = pb.Event(artifact_id=artifact_id, execution_id=made_by.execution_id, type=pb.Event.OUTPUT)
        if made_by.path_key:
            event.path.steps.add(key=made_by.path_key)
        try:
            store_events(tx, [event])
        except AlreadyExists as error:
            raise Aborted("The same output is being recorded at this moment; try again.") from error
    if made_by.context_id:
        _check_there(tx, Kind.CONTEXT, made_by.context_id)
        store_links(tx, [(made_by.context_id, artifact_id)], [])


def _check_there(tx: Transaction, kind: Kind, node_id: int) -> None:
    if not existing_ids(tx, kind, [node_id]):
        noun = kind.name.lower()
        raise InvalidArgument(f"made_by.{noun}_id: there is no {noun} with id {node_id}; put the {noun} first.")
