"""`mlmd.v1` only gains: nothing of the last release is gone, and the comparison notices when something is."""

from collections.abc import Callable

import pytest
from google.protobuf import text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from tests.packaging.compatibility import breaks, present, released

FILE = """
name: "mlmd/v1/example.proto" package: "mlmd.v1" syntax: "proto3"
message_type {
  name: "Outer"
  field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL json_name: "name" }
  field { name: "size" number: 2 type: TYPE_INT64 label: LABEL_OPTIONAL json_name: "size"
          oneof_index: 0 }
  oneof_decl { name: "amount" }
  nested_type { name: "Inner" field { name: "flag" number: 1 type: TYPE_BOOL label: LABEL_OPTIONAL } }
  enum_type { name: "State" value { name: "STATE_UNSPECIFIED" number: 0 } value { name: "LIVE" number: 1 } }
}
service {
  name: "Example"
  method { name: "Get" input_type: ".mlmd.v1.Outer" output_type: ".mlmd.v1.Outer" }
}
"""


def example() -> FileDescriptorSet:
    """Return a small release."""
    return FileDescriptorSet(file=[text_format.Parse(FILE, FileDescriptorProto())])


def changed(change: Callable[[FileDescriptorProto], object]) -> list[str]:
    """Return what breaks when the example is changed so."""
    new = example()
    change(new.file[0])
    return breaks(example(), new)


def test_nothing_of_the_last_release_is_gone() -> None:
    assert breaks(released(), present()) == []
    assert released().file


def test_what_is_gained_breaks_nothing() -> None:
    new = example()
    outer = new.file[0].message_type[0]
    outer.field.add(name="more", number=3, type="TYPE_STRING", label="LABEL_OPTIONAL")
    outer.enum_type[0].value.add(name="GONE", number=2)
    outer.nested_type.add(name="Another")
    new.file[0].service[0].method.add(name="List", input_type=".mlmd.v1.Outer", output_type=".mlmd.v1.Outer")
    new.file.add(name="mlmd/v1/another.proto", package="mlmd.v1")
    assert breaks(example(), new) == []


CHANGES: dict[str, Callable[[FileDescriptorProto], object]] = {
    "mlmd.v1.Outer.name (number 1) is gone": lambda file: file.message_type[0].field.pop(0),
    "mlmd.v1.Outer.name: name 'name' became 'title'": lambda file: setattr(
        file.message_type[0].field[0], "name", "title"
    ),
    "mlmd.v1.Outer.name: JSON name 'name' became 'Name'": (
        lambda file: setattr(file.message_type[0].field[0], "json_name", "Name")
    ),
    "mlmd.v1.Outer.name: type 'TYPE_STRING' became 'TYPE_BYTES'": (
        lambda file: setattr(file.message_type[0].field[0], "type", 12)
    ),
    "mlmd.v1.Outer.name: label 'LABEL_OPTIONAL' became 'LABEL_REPEATED'": (
        lambda file: setattr(file.message_type[0].field[0], "label", 3)
    ),
    "mlmd.v1.Outer.size: oneof 'amount' became None": (
        lambda file: file.message_type[0].field[1].ClearField("oneof_index")
    ),
    "mlmd.v1.Outer.Inner is gone": lambda file: file.message_type[0].nested_type.pop(),
    "mlmd.v1.Outer.Inner.flag (number 1) is gone": lambda file: file.message_type[0].nested_type[0].field.pop(),
    "mlmd.v1.Outer.State is gone": lambda file: file.message_type[0].enum_type.pop(),
    "mlmd.v1.Outer.State.LIVE is gone": lambda file: file.message_type[0].enum_type[0].value.pop(),
    "mlmd.v1.Outer.State.LIVE: number 1 became 7": (
        lambda file: setattr(file.message_type[0].enum_type[0].value[1], "number", 7)
    ),
    "mlmd.v1.Example is gone": lambda file: file.service.pop(),
    "mlmd.v1.Example/Get is gone": lambda file: file.service[0].method.pop(),
    "mlmd.v1.Example/Get: output_type '.mlmd.v1.Outer' became '.mlmd.v1.Other'": (
        lambda file: setattr(file.service[0].method[0], "output_type", ".mlmd.v1.Other")
    ),
    "mlmd.v1.Example/Get: server_streaming False became True": (
        lambda file: setattr(file.service[0].method[0], "server_streaming", True)
    ),
}


@pytest.mark.parametrize("sentence", CHANGES)
def test_what_is_lost_or_altered_is_named(sentence: str) -> None:
    assert changed(CHANGES[sentence]) == [sentence]


def test_a_file_that_is_gone_is_named() -> None:
    assert breaks(example(), FileDescriptorSet()) == ["mlmd/v1/example.proto is gone"]
