"""Models and versions as `mlmd.v1.ModelRegistry` shows them, and what its requests make of MLMD's nodes."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf import json_format
from mlmd_lineage.plain_values import clean
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from mlmd_model_registry.models import Model
from mlmd_model_registry.version_reads import Version

SIGNATURE = "signature"
"""The custom property of a kf.ModelArtifact that holds the signature."""
FORMAT_PROPERTIES = {
    "name": "model_format_name",
    "version": "model_format_version",
    "storage_key": "storage_key",
    "storage_path": "storage_path",
    "service_account": "service_account_name",
}
"""Fields of ModelFormat and the properties of kf.ModelArtifact that they are."""
LONGEST_TAG = 255


def text(node: Any, name: str) -> str:
    """Return a declared property's text, "" when it has none."""
    return clean(node.properties[name].string_value) if name in node.properties else ""


def tags_of(values: Mapping[str, pb.Value]) -> dict[str, str]:
    """Return custom properties as text; what is no string as JSON."""
    return {clean(name): _tag(values[name]) for name in values}


def _tag(value: pb.Value) -> str:
    case = value.WhichOneof("value")
    if case == "string_value":
        return clean(value.string_value)
    if case == "struct_value":
        return json_format.MessageToJson(value.struct_value, indent=None, ensure_ascii=False)
    if case == "proto_value":
        return value.proto_value.type_url
    return json.dumps(getattr(value, case)) if case else ""


def model_message(model: Model) -> v1.RegisteredModel:
    """Return a model as callers see it."""
    context = model.context
    return v1.RegisteredModel(
        id=model.id,
        name=model.name,
        description=text(context, "description"),
        owner=text(context, "owner"),
        tags=tags_of(context.custom_properties),
        state=state_of(model.is_archived),
        latest_number=model.latest_number,
        aliases=model.aliases,
        move_sequence=model.move_sequence,
        external_id=clean(context.external_id),
        create_ms=context.create_time_since_epoch,
        update_ms=context.last_update_time_since_epoch,
    )


def version_message(version: Version) -> v1.ModelVersion:
    """Return a version as callers see it."""
    context, artifact = version.context, version.model_artifact
    return v1.ModelVersion(
        id=version.id,
        model_id=version.model_id,
        model=version.model_name,
        number=version.number,
        name=version.name,
        description=text(context, "description"),
        author=text(context, "author"),
        tags=tags_of(context.custom_properties),
        state=state_of(version.is_archived),
        aliases=version.aliases,
        artifact_id=version.artifact_id,
        model_artifact_id=artifact.id if artifact else 0,
        uri=clean(artifact.uri) if artifact else "",
        format=format_of(artifact),
        signature=signature_of(artifact),
        external_id=clean(context.external_id),
        subject=version.subject,
        approvals=[v1.Approval(subject=a.subject, reason=a.reason, create_ms=a.create_ms) for a in version.approvals],
        create_ms=version.create_ms,
        update_ms=context.last_update_time_since_epoch,
    )


def state_of(is_archived: bool) -> v1.ModelState:
    """Return the state as a number of the enum."""
    return v1.MODEL_STATE_ARCHIVED if is_archived else v1.MODEL_STATE_LIVE


def format_of(artifact: pb.Artifact | None) -> v1.ModelFormat:
    """Return the format that a kf.ModelArtifact says."""
    if artifact is None:
        return v1.ModelFormat()
    return v1.ModelFormat(**{field: text(artifact, name) for field, name in FORMAT_PROPERTIES.items()})


def signature_of(artifact: pb.Artifact | None) -> str:
    """Return the signature that a kf.ModelArtifact carries, "" when none."""
    if artifact is None or SIGNATURE not in artifact.custom_properties:
        return ""
    return clean(artifact.custom_properties[SIGNATURE].string_value)


def set_texts(properties: Any, texts: Mapping[str, str]) -> frozenset[str]:
    """Put texts into a property map, leaving empty ones out; return all their names."""
    for name, value in texts.items():
        if value:
            properties[name].string_value = value
    return frozenset(texts)


def set_tags(custom: Any, tags: Mapping[str, str]) -> None:
    """Put tags into custom properties; raises InvalidArgument for a name that cannot be one."""
    for name, value in tags.items():
        check_tag(name)
        custom[name].string_value = value


def check_tag(name: str) -> None:
    """Raise InvalidArgument for what cannot be the name of a tag."""
    if not name or name != name.strip() or not name.isprintable() or len(name) > LONGEST_TAG:
        raise InvalidArgument(
            f"tags: {name[:80]!r} is empty, begins or ends with space, is not printable, or is longer than "
            f"{LONGEST_TAG} characters."
        )


def change_tags(custom: Any, changes: v1.TagChanges) -> frozenset[str]:
    """Put the tags that are set; return the names of those that are set or taken away."""
    set_tags(custom, changes.set)
    _check_removed(changes.remove, changes.set)
    return frozenset(changes.set) | frozenset(changes.remove)


def _check_removed(removed: Iterable[str], kept: Mapping[str, str]) -> None:
    for name in removed:
        if name in kept:
            raise InvalidArgument(f"tags.remove: {name[:80]!r} is to be set as well; say one of them.")


def check_signature(signature: str) -> None:
    """Raise InvalidArgument for a signature that is no JSON."""
    try:
        json.loads(signature or "null")
    except (ValueError, RecursionError):
        raise InvalidArgument("signature: is no JSON; write inputs and outputs as a JSON document.") from None
