"""Our .proto files define the very descriptors of Google's wheel, so that one process can hold both packages."""

import hashlib
import importlib
import json
import subprocess
from pathlib import Path

import google.protobuf
import pytest
from mlmd_schemas.pb import metadata_store_pb2, metadata_store_service_pb2

from tests.reference import client
from tests.services.missing import missing

DIGESTS = {
    "metadata_store": "dd4b7f111eb8c14de6e53b5b1587b96fbe9eac718adfdf07057c3c1a4f3f9e70",
    "metadata_store_service": "cc71a5cfe81c944a8af35710b26baad1c89aa675e019501f40f847d8cf7a7728",
}
"""SHA-256 of the serialized file descriptors of ml-metadata 1.17.1."""

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
PB = SCHEMAS / "mlmd_schemas" / "pb"
MODULES = sorted(".".join(path.relative_to(SCHEMAS).with_suffix("").parts) for path in PB.rglob("*_pb2*.py"))
"""Every generated module, by name."""


def in_reference(program: str) -> str:
    """Run a program in the reference environment with our schemas beside Google's package; returns what it prints."""
    if (sentence := client.absence()) is not None:
        missing(sentence)
    preamble = f"import sys; sys.path.insert(0, {str(SCHEMAS)!r})\n"
    done = subprocess.run([str(client.PYTHON), "-I", "-c", preamble + program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_descriptors_have_the_digests_of_the_wheels() -> None:
    files = (metadata_store_pb2.DESCRIPTOR, metadata_store_service_pb2.DESCRIPTOR)
    digests = [hashlib.sha256(file.serialized_pb).hexdigest() for file in files]
    assert digests == list(DIGESTS.values())
    assert [file.name for file in files] == [f"ml_metadata/proto/{name}.proto" for name in DIGESTS]


@pytest.mark.reference
def test_the_digests_are_those_of_the_installed_wheel() -> None:
    program = """
import hashlib, json
from ml_metadata.proto import metadata_store_pb2, metadata_store_service_pb2
modules = {"metadata_store": metadata_store_pb2, "metadata_store_service": metadata_store_service_pb2}
print(json.dumps({k: hashlib.sha256(m.DESCRIPTOR.serialized_pb).hexdigest() for k, m in modules.items()}))
"""
    assert json.loads(in_reference(program)) == DIGESTS


@pytest.mark.reference
@pytest.mark.parametrize("first", ["google", "ours"])
def test_both_packages_live_in_one_process_whichever_comes_first(first: str) -> None:
    imports = [
        "from ml_metadata.proto import metadata_store_pb2 as google, metadata_store_service_pb2 as google_service",
        "from mlmd_schemas.pb import metadata_store_pb2 as ours, metadata_store_service_pb2 as our_service",
    ]
    check = """
assert google.Artifact is ours.Artifact
assert google_service.PutArtifactsRequest is our_service.PutArtifactsRequest
request = our_service.PutArtifactsRequest(artifacts=[google.Artifact(name="shared")])
print(google_service.PutArtifactsRequest.FromString(request.SerializeToString()).artifacts[0].name)
"""
    program = "\n".join([*(imports if first == "google" else reversed(imports)), check])
    assert in_reference(program) == "shared"


@pytest.mark.reference
@pytest.mark.parametrize("module", MODULES)
def test_generated_code_loads_on_the_oldest_protobuf_that_we_support(module: str) -> None:
    program = f"import {module}, google.protobuf; print(google.protobuf.__version__)"
    assert in_reference(program).startswith("4.25.")


def test_the_main_environment_has_a_newer_protobuf() -> None:
    major = int(google.protobuf.__version__.split(".")[0])
    assert major >= 6, "generated code is to be tried at both ends of the supported range"


def test_every_file_of_ours_is_of_one_package() -> None:
    ours = [importlib.import_module(name) for name in MODULES if ".v1." in name and name.endswith("_pb2")]
    assert len(ours) >= 9
    assert {module.DESCRIPTOR.package for module in ours} == {"mlmd.v1"}
