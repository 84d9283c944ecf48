"""Versions of models made and changed.

A version is a context of type kf.ModelVersion below its model, with a number that the store gives. It is attributed to
the run's own artifact, and to a kf.ModelArtifact with the same uri, which has no events and is what Kubeflow's API
shows.
"""

from typing import Any

import sqlalchemy as sa
from mlmd_artifact_store.manifests import find_manifest
from mlmd_artifact_store.upload_rows import find_upload
from mlmd_metadata_store.alias_moves import GONE
from mlmd_metadata_store.link_writes import store_links
from mlmd_metadata_store.node_rows import nodes_by_id
from mlmd_metadata_store.node_writes import Rules, create_nodes, put_nodes
from mlmd_metadata_store.text import text_of
from mlmd_metadata_store.tombstones import tombstones_of
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.update_mask import EVERYTHING, UpdateMask, mask_of_keys
from mlmd_metadata_store.version_collections import CollectionRow, count_version
from mlmd_schemas.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.own import MANIFEST
from mlmd_schemas.tables.own import VERSION as COUNTED
from mlmd_schemas.tables.registry import MODEL_VERSION as NUMBERED
from mlmd_schemas.tables.v10 import ARTIFACT, CONTEXT, PARENT_CONTEXT, TYPE, Kind

from mlmd_model_registry.changes import touch
from mlmd_model_registry.kubeflow_types import (
    LIVE,
    MODEL_ARTIFACT,
    MODEL_VERSION,
    PREFIX,
    put_kubeflow_types,
)
from mlmd_model_registry.models import (
    LONGEST_NAME,
    Keys,
    Model,
    check_state,
    fits,
    lock_model,
    require_live,
    says_archived,
)
from mlmd_model_registry.numbering import number_strangers
from mlmd_model_registry.running import require_unserved_version
from mlmd_model_registry.version_reads import Version, named_version_id, version_by_id

_COLUMNS = ("version_id", "model_id", "number", "model_artifact_id", "subject", "create_ms")
_LONGEST_SUBJECT = 255
_OF_RUN = (
    sa.select(ARTIFACT.c.id)
    .join(TYPE, TYPE.c.id == ARTIFACT.c.type_id)
    .outerjoin(MANIFEST, MANIFEST.c.artifact_id == ARTIFACT.c.id)
    .where(
        ARTIFACT.c.uri == sa.bindparam("wanted"),
        sa.func.substr(TYPE.c.name, 1, len(PREFIX)) != PREFIX,
        sa.or_(ARTIFACT.c.state.is_(None), ARTIFACT.c.state.not_in(GONE)),
    )
    # The one that has the files itself, which are served and kept; others name them by an importer, say.
    .order_by(sa.case((MANIFEST.c.is_external == 0, 1), else_=0).desc(), ARTIFACT.c.id.desc())
    .limit(1)
)
_ALREADY = sa.select(COUNTED.c.number).where(
    COUNTED.c.context_id == sa.bindparam("model"), COUNTED.c.artifact_id == sa.bindparam("artifact")
)
_SET_ARTIFACT = (
    sa.update(COUNTED)
    .where(COUNTED.c.context_id == sa.bindparam("model"), COUNTED.c.number == sa.bindparam("wanted"))
    .values(artifact_id=sa.bindparam("artifact"))
)
_SET_MODEL_ARTIFACT = (
    sa.update(NUMBERED)
    .where(NUMBERED.c.version_id == sa.bindparam("version"))
    .values(model_artifact_id=sa.bindparam("artifact"))
)
# Whoever deletes what is not registered locks the artifact first, so that neither overlooks the other.
_LOCKED = sa.select(ARTIFACT.c.id).where(ARTIFACT.c.id == sa.bindparam("artifact")).with_for_update()
_LOCKED_CONTEXT = sa.select(CONTEXT.c.id).where(CONTEXT.c.id == sa.bindparam("context")).with_for_update()
_VERSION_OF = sa.select(NUMBERED.c.version_id).where(NUMBERED.c.model_artifact_id == sa.bindparam("artifact"))


def create_version(tx: Transaction, model: Model, name: str, given: pb.Context) -> Version:
    """Make the next version of a model, without bytes so far; with an empty name it is named by its number.

    `given` brings properties, custom properties and external id. Raises InvalidArgument for a name that cannot be,
    AlreadyExists for one that is taken, FailedPrecondition when the model is archived.
    """
    require_live(model)
    row = lock_model(tx, model.id)
    number = row.latest_number + 1
    chosen = name or _default_name(tx, model.id, number)
    stored_name = _stored_name(tx, model.id, chosen)
    (type_id,) = put_kubeflow_types(tx, MODEL_VERSION)
    context = pb.Context()
    context.CopyFrom(given)
    context.ClearField("id")
    context.type_id, context.name = type_id, stored_name
    _fill(context, model, chosen)
    try:
        (version_id,) = create_nodes(tx, Kind.CONTEXT, [context])
    except AlreadyExists as error:
        other = f" or a context with external_id {given.external_id!r}" if given.external_id else ""
        raise AlreadyExists(
            f"name: the model {model.name!r} has a version {chosen!r} already{other}; choose another name."
        ) from error
    tx.insert(PARENT_CONTEXT, ("context_id", "parent_context_id"), [(version_id, model.id)])
    _number(tx, row, version_id)
    touch(tx)
    return version_by_id(tx, version_id)


def _fill(context: pb.Context, model: Model, name: str) -> None:
    if "state" not in context.properties:
        context.properties["state"].string_value = LIVE
    check_state(context)
    context.properties["model_name"].string_value = model.name
    context.properties["version"].string_value = name
    context.properties["registered_model_id"].int_value = model.id


def _number(tx: Transaction, row: CollectionRow, version_id: int) -> None:
    now = count_version(tx, row, 0)
    numbered = (version_id, row.context_id, row.latest_number + 1, 0, tx.caller.subject[:_LONGEST_SUBJECT], now)
    tx.insert(NUMBERED, _COLUMNS, [numbered])


def _default_name(tx: Transaction, model_id: int, number: int) -> str:
    """Return the number, or `v<number>` when somebody named another version so."""
    return str(number) if named_version_id(tx, model_id, str(number)) is None else f"v{number}"


def _stored_name(tx: Transaction, model_id: int, name: str) -> str:
    if name != name.strip() or not name.isprintable():
        raise InvalidArgument(f"name: {name[:80]!r} begins or ends with space, or is not printable.")
    stored = f"{model_id}:{name}"
    return _fitting(tx, stored, name, "the model's")


def _fitting(tx: Transaction, stored: str, name: str, owner: str) -> str:
    if not fits(tx, stored):
        raise InvalidArgument(
            f"name: {name[:40]!r}… is too long; with {owner} id before it, it has to fit {LONGEST_NAME} characters."
        )
    return stored


def hold_artifact(tx: Transaction, artifact_id: int) -> None:
    """Keep whoever deletes an artifact's bytes waiting until the transaction ends; what was deleted is seen then."""
    tx.rows(_LOCKED, {"artifact": artifact_id})


def hold_version(tx: Transaction, version: Version) -> None:
    """Keep whoever purges a version, or deletes its bytes, waiting until the transaction ends, as `hold_artifact`."""
    shown = version.model_artifact.id if version.model_artifact is not None else 0
    for artifact_id in sorted({version.artifact_id, shown} - {0}):
        hold_artifact(tx, artifact_id)
    tx.rows(_LOCKED_CONTEXT, {"context": version.id})


def run_artifact(tx: Transaction, artifact_id: int) -> pb.Artifact:
    """Return an artifact that a version can be made from; raises NotFound, InvalidArgument, FailedPrecondition.

    Its bytes stay until the transaction ends, and then because it is a version.
    """
    hold_artifact(tx, artifact_id)
    found = nodes_by_id(tx, Kind.ARTIFACT, [artifact_id])
    if not found:
        raise NotFound(f"artifact_id: there is no artifact with id {artifact_id}.")
    artifact: pb.Artifact = found[0]
    if text_of(artifact.type).startswith(PREFIX):
        raise InvalidArgument(
            f"artifact_id: artifact {artifact_id} is a {artifact.type} of the registry; name the run's own artifact."
        )
    if tombstones_of(tx, Kind.ARTIFACT, [artifact_id]):
        raise FailedPrecondition(
            f"artifact_id: artifact {artifact_id} was purged or its files were deleted (ListTombstones tells by whom, "
            "when and why); register another."
        )
    if not artifact.uri:  # never said, or wiped by a call of MLMD, which detaches no bytes
        manifest = find_manifest(tx, artifact_id)
        if manifest is None:
            raise FailedPrecondition(
                f"artifact_id: artifact {artifact_id} has no uri, so nobody could fetch the model."
            )
        artifact.uri = manifest.root_uri
    if isinstance(artifact.uri, bytes):
        raise FailedPrecondition(
            f"artifact_id: the uri of artifact {artifact_id} is not UTF-8, so nobody could fetch it; put it again."
        )
    if artifact.state in GONE:
        state = pb.Artifact.State.Name(artifact.state)
        raise FailedPrecondition(f"artifact_id: artifact {artifact_id} is {state}; its bytes cannot be counted on.")
    require_uploaded(tx, "artifact_id", artifact_id)
    return artifact


def require_uploaded(tx: Transaction, field: str, artifact_id: int) -> None:
    """Raise FailedPrecondition for an artifact whose upload was begun and not committed, whatever its state says."""
    if find_upload(tx, artifact_id) is not None:
        raise FailedPrecondition(
            f"{field}: the upload of artifact {artifact_id} is not finished, so nobody could fetch it; commit it first."
        )


def require_unregistered(tx: Transaction, model: Model, artifact_id: int) -> None:
    """Raise AlreadyExists when an artifact is a version of this model already; of another model it may be one too."""
    for (number,) in tx.rows(_ALREADY, {"model": model.id, "artifact": artifact_id}):
        raise AlreadyExists(
            f"artifact_id: artifact {artifact_id} is version {number} of {model.name!r} already; use that version."
        )


def find_run_artifact(tx: Transaction, uri: str) -> int:
    """Return the artifact of a run with this uri that has files here, else the newest; 0 when there is none.

    Its bytes stay as `run_artifact`'s.
    """
    wanted = {"wanted": tx.text.encode(uri)}
    rows = tx.rows(_OF_RUN, wanted) if uri else ()
    if rows:
        hold_artifact(tx, rows[0][0])
        rows = tx.rows(_OF_RUN, wanted)
    return int(rows[0][0]) if rows else 0


def attach_artifact(tx: Transaction, version: Version, given: pb.Artifact, run_artifact_id: int = 0) -> int:
    """Make the kf.ModelArtifact of a version and tie the version to the run's artifact of the same uri.

    `given` brings its name (empty: the model's), uri, state, properties and custom properties. Without
    `run_artifact_id` the run's artifact is found by the uri; where there is none, the kf.ModelArtifact is itself the
    node of the lineage graph. A version's first one counts; Kubeflow may attach further ones. Raises AlreadyExists for
    a name that is taken.
    """
    (type_id,) = put_kubeflow_types(tx, MODEL_ARTIFACT)
    artifact = pb.Artifact()
    artifact.CopyFrom(given)
    artifact.ClearField("id")
    artifact.type_id = type_id
    artifact.name = _artifact_name(tx, version, given.name)
    if not artifact.HasField("state"):
        artifact.state = pb.Artifact.LIVE
    (artifact_id,) = create_nodes(tx, Kind.ARTIFACT, [artifact])
    links = {(version.id, artifact_id)}
    if version.model_artifact is None:
        numbered = _numbered(tx, version)
        own = run_artifact_id or find_run_artifact(tx, artifact.uri) or artifact_id
        tx.execute(_SET_MODEL_ARTIFACT, {"version": version.id, "artifact": artifact_id})
        tx.execute(_SET_ARTIFACT, {"model": version.model_id, "wanted": numbered, "artifact": own})
        links.add((version.id, own))
    store_links(tx, links, ())
    touch(tx)
    return artifact_id


def _artifact_name(tx: Transaction, version: Version, name: str) -> str:
    """Return how the artifact is stored; without a name it is called like the model, as Kubeflow's client does."""
    if not name:
        stored = f"{version.id}:{version.context.properties['model_name'].string_value}"
        return stored if fits(tx, stored) else f"{version.id}:model"
    return _fitting(tx, f"{version.id}:{name}", name, "the version's")


def _numbered(tx: Transaction, version: Version) -> int:
    return version.number or require_number(tx, version).number


def require_number(tx: Transaction, version: Version) -> Version:
    """Return the version with its number, which it gets now when another program made it."""
    if version.number:
        return version
    number_strangers(tx, lock_model(tx, version.model_id))
    return version_by_id(tx, version.id)


def change_artifact(tx: Transaction, artifact_id: int, given: pb.Artifact, mask: UpdateMask = EVERYTHING) -> None:
    """Change the kf.ModelArtifact of a version; its name stays.

    Raises FailedPrecondition for another uri while an alias points at the version: what is served never changes.
    """
    stored: list[pb.Artifact] = nodes_by_id(tx, Kind.ARTIFACT, [artifact_id])
    if not stored:
        raise NotFound(f"artifact: there is no artifact with id {artifact_id}.")
    rows = tx.rows(_VERSION_OF, {"artifact": artifact_id})
    moved = mask.touches("uri") and given.uri != stored[0].uri
    if rows and moved:
        version = version_by_id(tx, rows[0][0])
        require_unaliased(version, "its uri cannot change")
    artifact = pb.Artifact()
    artifact.CopyFrom(given)
    artifact.id = artifact_id
    artifact.ClearField("type_id")
    artifact.name = stored[0].name
    put_kubeflow_types(tx, MODEL_ARTIFACT)
    put_nodes(tx, Kind.ARTIFACT, [artifact], Rules(mask))
    if rows and moved:
        own = find_run_artifact(tx, given.uri) or artifact_id
        tx.execute(_SET_ARTIFACT, {"model": version.model_id, "wanted": version.number, "artifact": own})
        store_links(tx, [(version.id, own)], ())
    touch(tx)


def require_unaliased(version: Version, consequence: str) -> None:
    """Raise FailedPrecondition while aliases point at a version."""
    if version.aliases:
        listed = ", ".join(map(repr, version.aliases))
        raise FailedPrecondition(
            f"version: {listed} of the model points at version {version.number}, so {consequence}; move or remove it "
            "first."
        )


def change_version(tx: Transaction, version: Version, given: pb.Context, keys: Keys) -> Version:
    """Change some properties and some custom properties of a version; keys that `given` lacks are taken away.

    Raises FailedPrecondition when it would be archived while an alias points at it or a service runs it.
    """
    return _put(tx, version, given, mask_of_keys(*keys))


def replace_version(tx: Transaction, version: Version, given: pb.Context) -> Version:
    """Put all properties, custom properties and the external id of a version; its name and its model stay."""
    whole = pb.Context()
    whole.CopyFrom(given)
    whole.name = version.context.name
    for name in ("model_name", "version", "registered_model_id"):
        if name in version.context.properties:
            whole.properties[name].CopyFrom(version.context.properties[name])
    return _put(tx, version, whole, EVERYTHING)


def _put(tx: Transaction, version: Version, given: pb.Context, mask: UpdateMask) -> Version:
    lock_model(tx, version.model_id)  # so that no alias comes to point at what is being archived
    context: Any = pb.Context()
    context.CopyFrom(given)
    context.id = version.id
    context.ClearField("type_id")
    context.ClearField("type")
    if "state" in context.properties:
        check_state(context)
        stored = version_by_id(tx, version.id)
        if says_archived(context) and not stored.is_archived:
            require_unaliased(stored, "it cannot be archived")
            require_unserved_version(tx, version.id)
    put_kubeflow_types(tx, MODEL_VERSION)
    put_nodes(tx, Kind.CONTEXT, [context], Rules(mask))
    touch(tx)
    return version_by_id(tx, version.id)


def set_version_state(tx: Transaction, version: Version, state: str) -> Version:
    """Archive or restore a version; raises FailedPrecondition as `change_version`."""
    given = pb.Context()
    given.properties["state"].string_value = state
    return change_version(tx, version, given, (frozenset({"state"}), frozenset()))
