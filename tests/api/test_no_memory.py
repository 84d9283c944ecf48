"""Requests for which there is no memory: nothing is said of them that is not so."""

import subprocess
import sys

import pytest

READING = """
import resource
import sys

from mlmd_api.codec import BINARY
from mlmd_api.string_shadows import are_strings_utf8
from mlmd_schemas.pb import metadata_store_service_pb2 as service

kind = service.PutArtifactsRequest
body = kind(artifacts=[{"name": "é", "uri": "u" * 200} for _ in range(100_000)]).SerializeToString()
read = {"all": lambda: BINARY.read(kind, body), "strings": lambda: are_strings_utf8(kind.DESCRIPTOR, body)}[sys.argv[1]]
are_strings_utf8(kind.DESCRIPTOR, b"")
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + 5_000_000, -1))
try:
    read()
except MemoryError as error:
    print("no memory:", error)
"""


@pytest.mark.parametrize("what", ["all", "strings"])
def test_a_request_without_memory_for_it_is_not_taken_for_a_broken_one(what: str) -> None:
    done = subprocess.run([sys.executable, "-c", READING, what], capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("no memory: Error parsing message"), done.stderr
