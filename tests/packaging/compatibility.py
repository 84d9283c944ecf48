"""What would break the clients of an older release: `mlmd.v1` may only gain.

`python -m tests.packaging.compatibility` records the present descriptors as those of the release; it is part of
releasing, and the only way in which something can be taken away before the first one.
"""

from collections.abc import Iterator
from pathlib import Path

import mlmd_schemas.pb.v1 as v1
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

RELEASED = Path(__file__).with_name("mlmd_v1.binpb")


def present() -> FileDescriptorSet:
    """Return the descriptors of every generated module of `mlmd.v1`, sorted by name."""
    from importlib import import_module

    names = sorted(path.stem for path in Path(v1.__path__[0]).glob("*_pb2.py"))
    files = FileDescriptorSet()
    for name in names:
        import_module(f"{v1.__name__}.{name}").DESCRIPTOR.CopyToProto(files.file.add())
    return files


def released() -> FileDescriptorSet:
    """Return the descriptors of the last release."""
    return FileDescriptorSet.FromString(RELEASED.read_bytes())


def breaks(old: FileDescriptorSet, new: FileDescriptorSet) -> list[str]:
    """Return a sentence for every change from `old` to `new` that an existing client would notice."""
    files = {file.name: file for file in new.file}
    found: list[str] = []
    for file in old.file:
        if file.name not in files:
            found.append(f"{file.name} is gone")
        else:
            found.extend(_file_breaks(file, files[file.name]))
    return found


def _file_breaks(old: FileDescriptorProto, new: FileDescriptorProto) -> Iterator[str]:
    if old.package != new.package:
        yield f"{old.name}: package {old.package} became {new.package}"
    yield from _members(old.package, old, new)
    services = {service.name: service for service in new.service}
    for service in old.service:
        if service.name not in services:
            yield f"{old.package}.{service.name} is gone"
        else:
            yield from _service_breaks(f"{old.package}.{service.name}", service, services[service.name])


def _members(
    scope: str, old: FileDescriptorProto | DescriptorProto, new: FileDescriptorProto | DescriptorProto
) -> Iterator[str]:
    """Compare the messages and enums declared in a file or in a message."""
    nested = isinstance(old, DescriptorProto)
    old_messages = old.nested_type if isinstance(old, DescriptorProto) else old.message_type
    new_messages = new.nested_type if isinstance(new, DescriptorProto) else new.message_type
    messages = {message.name: message for message in new_messages}
    enums = {enum.name: enum for enum in new.enum_type}
    for message in old_messages:
        if message.name in messages:
            yield from _message_breaks(f"{scope}.{message.name}", message, messages[message.name])
        elif not (nested and message.options.map_entry):  # the map's own field tells
            yield f"{scope}.{message.name} is gone"
    for enum in old.enum_type:
        if enum.name in enums:
            yield from _enum_breaks(f"{scope}.{enum.name}", enum, enums[enum.name])
        else:
            yield f"{scope}.{enum.name} is gone"


def _message_breaks(name: str, old: DescriptorProto, new: DescriptorProto) -> Iterator[str]:
    fields = {field.number: field for field in new.field}
    for field in old.field:
        if field.number not in fields:
            yield f"{name}.{field.name} (number {field.number}) is gone"
        else:
            yield from _field_breaks(f"{name}.{field.name}", _shape(field, old), _shape(fields[field.number], new))
    yield from _members(name, old, new)


def _shape(field: FieldDescriptorProto, message: DescriptorProto) -> dict[str, object]:
    """Return what clients depend on, on the wire, in JSON and in generated code."""
    oneof = message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else None
    return {
        "name": field.name,
        "JSON name": field.json_name,
        "type": FieldDescriptorProto.Type.Name(field.type),
        "message or enum": field.type_name,
        "label": FieldDescriptorProto.Label.Name(field.label),
        "oneof": oneof,
        "presence": field.proto3_optional,
        "default": field.default_value,
    }


def _field_breaks(name: str, old: dict[str, object], new: dict[str, object]) -> Iterator[str]:
    for aspect, before in old.items():
        if new[aspect] != before:
            yield f"{name}: {aspect} {before!r} became {new[aspect]!r}"


def _enum_breaks(name: str, old: EnumDescriptorProto, new: EnumDescriptorProto) -> Iterator[str]:
    values = {value.name: value.number for value in new.value}
    for value in old.value:
        if value.name not in values:
            yield f"{name}.{value.name} is gone"
        elif values[value.name] != value.number:
            yield f"{name}.{value.name}: number {value.number} became {values[value.name]}"


def _service_breaks(name: str, old: ServiceDescriptorProto, new: ServiceDescriptorProto) -> Iterator[str]:
    methods = {method.name: method for method in new.method}
    for method in old.method:
        present_method = methods.get(method.name)
        if present_method is None:
            yield f"{name}/{method.name} is gone"
            continue
        for aspect in ("input_type", "output_type", "client_streaming", "server_streaming"):
            before, after = getattr(method, aspect), getattr(present_method, aspect)
            if before != after:
                yield f"{name}/{method.name}: {aspect} {before!r} became {after!r}"


if __name__ == "__main__":
    RELEASED.write_bytes(present().SerializeToString(deterministic=True))
