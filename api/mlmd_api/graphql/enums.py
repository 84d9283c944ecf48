"""Enums of protobuf as enums of GraphQL."""

from functools import cache
from typing import Any

import graphene
from google.protobuf.descriptor import EnumDescriptor


@cache
def enum_of(descriptor: EnumDescriptor) -> Any:
    """Return the graphene enum: `ArtifactState` for Artifact.State; what all names begin with is left out."""
    outer = descriptor.containing_type
    name = f"{outer.name}{descriptor.name}" if outer is not None else descriptor.name
    prefix = _prefix(descriptor)
    members = [(value.name[len(prefix) :], value.number) for value in descriptor.values]
    return graphene.Enum(name, members, description=lambda value: None if value else f"{descriptor.full_name}.")


def _prefix(descriptor: EnumDescriptor) -> str:
    """Return what every name repeats, `EVALUATION_ORIGIN_` for instance."""
    names = [value.name for value in descriptor.values]
    first, last = min(names), max(names)
    same = next((place for place, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), 0)
    return first[: first.rfind("_", 0, same) + 1]
