"""A call is answered alike by every way to a store, and refused alike."""

import pickle
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from mlmd_client.transport import CallError, GrpcTransport, MissingExtra, Tls, Transport, open_transport
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb.v1 import server_pb2

from tests.services.certificates import make_certificates
from tests.services.server import Server

MLMD = "/ml_metadata.MetadataStoreService/"
TIMES = re.compile(r"(create|last_update)_time_since_epoch: \d+")


def say(transport: Transport, method: str, request: Message | None = None, **fields: Any) -> Any:
    """Make one call of MLMD's service by its name."""
    kind = getattr(service, f"{method}Request")
    answer = getattr(service, f"{method}Response")
    return transport.unary(MLMD + method, request or kind(**fields), answer)


def refusal(transport: Transport, method: str, **fields: Any) -> tuple[int, str]:
    """Make a call that must fail, and return its code and sentence."""
    with pytest.raises(CallError) as caught:
        say(transport, method, **fields)
    assert re.fullmatch(r"[0-9a-f]{16}", caught.value.request_id)
    return caught.value.code, caught.value.message


def put_artifact_type(transport: Transport, name: str = "Data") -> int:
    """Make a type and return its id."""
    kind = pb.ArtifactType(name=name, properties={"rows": pb.INT})
    return int(say(transport, "PutArtifactType", artifact_type=kind).type_id)


def a_session(transport: Transport) -> Iterator[object]:
    """Yield what a store says to calls of every temper."""
    type_id = put_artifact_type(transport)
    artifact = pb.Artifact(type_id=type_id, name="ü", uri="s3://x", properties={"rows": pb.Value(int_value=2**60)})
    yield str(say(transport, "PutArtifacts", artifacts=[artifact]))
    yield TIMES.sub("", str(say(transport, "GetArtifacts")))
    yield refusal(transport, "PutArtifacts", artifacts=[artifact])
    yield refusal(transport, "PutArtifacts", artifacts=[pb.Artifact(type_id=99)])
    yield refusal(transport, "PutArtifacts", artifacts=[pb.Artifact(type_id=type_id, properties={"rows": pb.Value()})])
    yield refusal(transport, "GetArtifactType", type_name="Nothing")
    yield refusal(transport, "GetArtifacts", options=pb.ListOperationOptions(filter_query="type = "))
    yield refusal(transport, "GetArtifacts", options=pb.ListOperationOptions(next_page_token="!"))


@pytest.mark.parametrize("database_url", ["sqlite", "mariadb"], indirect=True)
def test_both_ways_answer_alike(
    open_way: Callable[[str, str], Transport], new_database: Callable[[], str], database_url: str
) -> None:
    del database_url
    over_grpc, embedded = (list(a_session(open_way(way, new_database()))) for way in ("grpc", "embedded"))
    assert over_grpc == embedded
    assert len(embedded) == 8


def test_a_method_that_nobody_serves_is_unimplemented(transport_on_sqlite: Transport) -> None:
    with pytest.raises(CallError, match="is no method of this server") as caught:
        transport_on_sqlite.unary("/no.such.Service/Method", pb.Artifact(), pb.Artifact)
    assert caught.value.code == Code.UNIMPLEMENTED


def test_a_text_that_is_no_utf8_is_refused_on_every_way(transport_on_sqlite: Transport) -> None:
    request = service.GetArtifactsByURIRequest.FromString(b"\x0a\x01x")
    broken = pb.Artifact()
    broken.MergeFromString(request.SerializeToString() + b"\xfa\x7f\x02\xff\xfe")  # unknown field: passes
    with pytest.raises(CallError) as caught:
        transport_on_sqlite.unary(MLMD + "PutArtifactType", broken, service.PutArtifactTypeResponse)
    assert caught.value.code == Code.INVALID_ARGUMENT


def test_the_caller_names_the_request_and_makes_it_once(transport: Transport) -> None:
    kind = service.PutArtifactTypeRequest(artifact_type=pb.ArtifactType(name="Data"))
    type_id = put_artifact_type(transport)
    request = service.PutArtifactsRequest(artifacts=[pb.Artifact(type_id=type_id)])
    key = (("mlmd-idempotency-key", "once"),)
    first, second = (
        transport.unary(MLMD + "PutArtifacts", request, service.PutArtifactsResponse, metadata=key) for _ in range(2)
    )
    assert first == second
    assert len(say(transport, "GetArtifacts").artifacts) == 1
    metadata = (*key, ("x-request-id", "my-own-id"))
    with pytest.raises(CallError) as caught:
        transport.unary(MLMD + "PutArtifactType", kind, service.PutArtifactTypeResponse, metadata=metadata)
    assert (caught.value.code, caught.value.request_id) == (6, "my-own-id")


def test_a_call_ends_with_its_time(transport: Transport) -> None:
    # Over before it began: what ends within the same millisecond gRPC lets a quick server answer yet.
    with pytest.raises(CallError) as caught:
        transport.unary(MLMD + "GetArtifacts", pb.Artifact(), service.GetArtifactsResponse, timeout_seconds=-1.0)
    assert caught.value.code == Code.DEADLINE_EXCEEDED


def test_messages_of_many_megabytes_pass(transport_on_sqlite: Transport) -> None:
    type_id = put_artifact_type(transport_on_sqlite)
    text = pb.Value(string_value="x" * 9_000_000)
    artifact = pb.Artifact(type_id=type_id, custom_properties={"text": text})
    say(transport_on_sqlite, "PutArtifacts", artifacts=[artifact])
    (found,) = say(transport_on_sqlite, "GetArtifacts").artifacts
    assert found.custom_properties["text"] == text


def test_many_threads_share_one_transport(transport: Transport) -> None:
    type_id = put_artifact_type(transport)
    start = threading.Barrier(8)

    def put(number: int) -> int:
        start.wait()
        artifacts = [pb.Artifact(type_id=type_id, name=f"{number}-{turn}") for turn in range(5)]
        return len({*say(transport, "PutArtifacts", artifacts=artifacts).artifact_ids})

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(put, range(8))) == [5] * 8
    assert len(say(transport, "GetArtifacts").artifacts) == 40


def test_what_is_closed_says_so(transport_on_sqlite: Transport) -> None:
    put_artifact_type(transport_on_sqlite)
    transport_on_sqlite.close()
    transport_on_sqlite.close()
    with pytest.raises(CallError, match="is closed; open another") as caught:
        say(transport_on_sqlite, "GetArtifacts")
    assert (caught.value.code, caught.value.request_id) == (1, "")


FORKED = """
import os, sys
from mlmd_client.transport import open_transport
from mlmd_schemas.pb import metadata_store_pb2 as pb, metadata_store_service_pb2 as service
transport = open_transport(sys.argv[1])
def put(name):
    request = service.PutArtifactTypeRequest(artifact_type=pb.ArtifactType(name=name))
    path = "/ml_metadata.MetadataStoreService/PutArtifactType"
    return transport.unary(path, request, service.PutArtifactTypeResponse, timeout_seconds=30).type_id
before = put("of the parent")
children = []
for number in range(3):
    pid = os.fork()
    if pid == 0:
        os._exit(0 if put(f"of child {number}") != before else 1)
    children.append(pid)
put("of the parent again")
statuses = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
answer = transport.unary("/ml_metadata.MetadataStoreService/GetArtifactTypes", service.GetArtifactTypesRequest(),
    service.GetArtifactTypesResponse, timeout_seconds=30)
print(statuses, len(answer.artifact_types))
"""


@pytest.mark.parametrize("way", ["grpc", "embedded"])
def test_a_fork_goes_on_with_connections_of_its_own(
    way: str, database_url: str, serve_grpc: Callable[[str], str]
) -> None:
    target = serve_grpc(database_url) if way == "grpc" else database_url
    done = subprocess.run([sys.executable, "-c", FORKED, target], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[0, 0, 0] 5", done.stderr


def test_an_error_travels_between_processes() -> None:
    error = pickle.loads(pickle.dumps(CallError(Code.NOT_FOUND, "gone", "ab")))
    assert (error.code, error.message, error.request_id, str(error)) == (5, "gone", "ab", "gone")


def test_nobody_listens() -> None:
    transport = open_transport("grpc://127.0.0.1:1")
    with pytest.raises(CallError, match=r"no server answers at 127\.0\.0\.1:1") as caught:
        say(transport, "GetArtifacts")
    assert (caught.value.code, caught.value.request_id) == (14, "")
    transport.close()


@pytest.fixture
def listen() -> Iterator[Callable[..., int]]:
    """A function that starts a gRPC server with no methods, with TLS or without, and returns its port."""
    running = []

    def start(credentials: grpc.ServerCredentials | None = None) -> int:
        server = grpc.server(ThreadPoolExecutor(1))
        address = "127.0.0.1:0"
        port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
        server.start()
        running.append(server)
        return port

    yield start
    for server in running:
        server.stop(None).wait()


def _told(target: str, tls: Tls | None = None) -> str:
    transport = open_transport(target, tls=tls)
    try:
        with pytest.raises(CallError) as caught:
            say(transport, "GetArtifacts")
    finally:
        transport.close()
    assert caught.value.code is Code.UNAVAILABLE
    return caught.value.message


def test_tls_on_one_side_alone_is_told_with_the_mend(tmp_path: Path, listen: Callable[..., int]) -> None:
    made = make_certificates(tmp_path)
    pair = (made.key.read_bytes(), made.certificate.read_bytes())
    authority = made.authority.read_bytes()
    secure, plain = listen(grpc.ssl_server_credentials([pair])), listen()
    said = _told(f"grpc://127.0.0.1:{secure}")
    assert f"hung up on what is no TLS; if it speaks TLS, write grpcs://127.0.0.1:{secure}" in said
    assert f"speaks no TLS; write grpc://127.0.0.1:{plain}" in _told(f"grpcs://127.0.0.1:{plain}", Tls(ca=authority))
    wants = listen(grpc.ssl_server_credentials([pair], authority, True))
    assert "give `certificate` and `key` in `tls`" in _told(f"grpcs://127.0.0.1:{wants}", Tls(ca=authority))


def test_a_token_goes_with_every_call(tmp_path: Path, sqlite_url: str, start_server: Callable[..., Server]) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text('[[token]]\ntoken = "t"\nsubject = "s"\nroles = ["writer"]\n')
    server = start_server(sqlite_url, options=("--auth", f"tokens={tokens}"))
    known, unknown = open_transport(server.target, token="t"), open_transport(server.target)
    assert put_artifact_type(known) > 0
    assert refusal(unknown, "GetArtifacts")[0] == 16
    assert known.target == server.target
    known.close()
    unknown.close()


def test_a_request_over_the_limit_is_told_by_size_limit_and_mend(
    sqlite_url: str, start_server: Callable[..., Server]
) -> None:
    transport = open_transport(start_server(sqlite_url, options=("--max-message-bytes", "5000")).target)
    request = service.PutArtifactTypeRequest(artifact_type=pb.ArtifactType(name="x" * 6000))
    with pytest.raises(CallError) as caught:
        say(transport, "PutArtifactType", request)
    transport.close()
    assert caught.value.code is Code.RESOURCE_EXHAUSTED
    assert caught.value.message == (
        f"request: it has {request.ByteSize()} bytes, more than the 5000 that this server takes; send fewer nodes in a "
        "call, or raise --max-message-bytes."
    )


def test_tls(tmp_path: Path, sqlite_url: str) -> None:
    made = make_certificates(tmp_path)
    options = ("--tls-cert", str(made.certificate), "--tls-key", str(made.key))
    server = Server(sqlite_url, tmp_path / "server", options=options)
    server.launch()
    try:
        transport = open_transport(f"grpcs://localhost:{server.grpc_port}", tls=Tls(ca=made.authority.read_bytes()))
        channel_is_ready(transport)
        answer = transport.unary("/mlmd.v1.Server/GetInfo", server_pb2.GetInfoRequest(), server_pb2.GetInfoResponse)
        assert answer.store_uuid
        transport.close()
    finally:
        server.kill()


def channel_is_ready(transport: Transport) -> None:
    """Wait for the server behind a transport."""
    import grpc

    assert isinstance(transport, GrpcTransport)
    grpc.channel_ready_future(transport._channel).result(60)


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("localhost:8080", "localhost:8080"),
        ("grpc://metadata", "metadata:8080"),
        ("grpc://10.0.0.1:9/", "10.0.0.1:9"),
        ("grpcs://[::1]:443", "[::1]:443"),
        ("[::1]:9", "[::1]:9"),
    ],
)
def test_addresses_of_servers(target: str, address: str) -> None:
    transport = open_transport(target)
    assert isinstance(transport, GrpcTransport)
    assert transport.target == address
    transport.close()


@pytest.mark.parametrize("scheme", ["grpc", "grpcs", "http", "https"])
def test_a_login_in_an_address_is_not_repeated(scheme: str) -> None:
    with pytest.raises(CallError) as caught:
        open_transport(f"{scheme}://somebody:s3cret@host:8080")
    assert "s3cret" not in caught.value.message
    assert f"'{scheme}://***@host:8080'" in caught.value.message
    assert ("a login is a token" in caught.value.message) == scheme.startswith("grpc")


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("http://here:8081", "is an HTTP address, and this client speaks gRPC; write grpc://host:port"),
        ("https://here:8081", "is an HTTP address, and this client speaks gRPC; write grpcs://host:port"),
        ("grpc://", "is no address of a server"),
        ("grpc://host:0", "is no address of a server"),
        ("grpc://host:70000", "is no address of a server"),
        ("grpc://user@host:1", "is no address of a server"),
        ("postgresql://host/db", "is no database URL"),
        ("sqlite://", "names no file"),
        ("mysql://user:secret@host", "lacks a host or a database"),
    ],
)
def test_targets_that_lead_nowhere_are_told(target: str, sentence: str) -> None:
    with pytest.raises(CallError) as caught:
        open_transport(target)
    assert sentence in caught.value.message
    assert "secret" not in caught.value.message
    assert caught.value.code == Code.INVALID_ARGUMENT


def test_tls_is_never_left_out_silently() -> None:
    with pytest.raises(CallError, match="write grpcs://host:1"):
        open_transport("grpc://host:1", tls=Tls())


WITHOUT = """
import sys
from mlmd_client.transport import MissingExtra, open_transport
sys.modules[sys.argv[1]] = None
try:
    open_transport(sys.argv[2])
except MissingExtra as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("module", "target", "line"),
    [
        ("sqlalchemy", "data", "pip install 'mlmd-server[server]'"),
        ("prometheus_client", "sqlite:///data.db", "pip install 'mlmd-server[server]'"),
        ("MySQLdb", "mysql://root@127.0.0.1:1/db", "pip install 'mlmd-server[server,mysql]'"),
    ],
)
def test_what_is_not_installed_is_told_in_one_line(tmp_path: Path, module: str, target: str, line: str) -> None:
    command = [sys.executable, "-c", WITHOUT, module, target]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.strip() == (f"a store in this process needs {module}, which is not installed; run: {line}"), (
        done.stderr
    )
    assert issubclass(MissingExtra, ImportError)
