"""Files at their addresses: ranges, conditions, refusals, and what the log and the counters say of transfers."""

import hashlib
import json
import socket

import pytest
import urllib3

from tests.artifact_store.served import Client, uploaded
from tests.conftest import StartServer
from tests.services.server import Server
from tests.services.waiting import wait_for


def test_files_over_http(local: Server, http: urllib3.PoolManager) -> None:
    content = bytes(range(200))
    client, artifact_id = uploaded(local, http, {"a/b c.bin": content})
    url = client.downloads(artifact_id)["a/b c.bin"].url
    assert url == f"{local.http_url}/artifacts/{artifact_id}/files/a/b%20c.bin"
    assert (local.folder / "mlmd-data" / "artifacts").is_dir()
    etag = f'"{hashlib.sha256(content).hexdigest()}"'

    def ask(method: str = "GET", **headers: str) -> urllib3.BaseHTTPResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return http.request(method, url, headers=named, retries=False)

    whole = ask()
    assert (whole.status, whole.data, whole.headers["etag"]) == (200, content, etag)
    assert whole.headers["x-content-type-options"] == "nosniff"
    head = ask("HEAD")
    assert (head.status, head.data, head.headers["content-length"]) == (200, b"", "200")
    for asked, status, data in [
        ("bytes=0-0", 206, content[:1]), ("bytes=190-", 206, content[190:]), ("bytes=-5", 206, content[-5:]),
        ("bytes=10-19", 206, content[10:20]), ("bytes=100-999", 206, content[100:]), ("bytes=0-1,5-6", 200, content),
        ("bytes=9-3", 200, content), ("lines=1-2", 200, content),
        ("BYTES=0-0", 206, content[:1]), ("Bytes=-5", 206, content[-5:]), ("BYTES=-", 200, content),
    ]:  # fmt: skip
        answer = ask(range=asked)
        assert (answer.status, answer.data) == (status, data), asked
        told = ask("HEAD", range=asked)
        assert (told.status, told.headers["content-length"], "content-range" in told.headers) == (200, "200", False)
    assert ask("HEAD", range="bytes=200-").status == 200
    assert ask(range="bytes=10-19").headers["content-range"] == "bytes 10-19/200"
    assert ask(range="bytes=200-").status == 416
    assert ask(if_none_match=etag).status == 304
    assert ask(if_match='"other"').status == 412
    assert ask(if_match=etag).status == 200
    assert ask(range="bytes=0-0", if_range='"other"').status == 200


def test_conditions_and_validators(local: Server, http: urllib3.PoolManager) -> None:
    client, artifact_id = uploaded(local, http, {"f": b"0123456789"})
    url = client.downloads(artifact_id)["f"].url
    first = http.request("GET", url, retries=False)
    etag, date = first.headers["etag"], first.headers["last-modified"]
    long_ago, far_away = "Thu, 01 Jan 2026 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
    for said, status in [
        ({"if-none-match": f"W/{etag}"}, 304), ({"if-none-match": f'"x", {etag}'}, 304), ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"x"'}, 200), ({"if-match": "*"}, 200), ({"if-match": f"W/{etag}"}, 412),
        ({"if-match": '"x"', "if-none-match": etag}, 412), ({"if-modified-since": date}, 304),
        ({"if-modified-since": long_ago}, 200), ({"if-modified-since": date, "if-none-match": '"x"'}, 200),
        ({"if-unmodified-since": long_ago}, 412), ({"if-unmodified-since": far_away}, 200),
        ({"if-modified-since": "yesterday"}, 200), ({"if-range": etag, "range": "bytes=1-2"}, 206),
        ({"if-range": date, "range": "bytes=1-2"}, 206), ({"if-range": long_ago, "range": "bytes=1-2"}, 200),
    ]:  # fmt: skip
        answer = http.request("GET", url, headers=said, retries=False)
        assert answer.status == status, said
        assert answer.headers["etag"] == etag
        assert len(answer.data) == {200: 10, 206: 2}.get(status, 0)
        told = http.request("HEAD", url, headers=said, retries=False)
        assert told.status == (200 if status == 206 else status), said
    asked = {"origin": "http://localhost:3000", "access-control-request-method": "PUT"}
    preflight = http.request("OPTIONS", url, headers=asked, retries=False)
    allowed = set(preflight.headers["access-control-allow-headers"].split(","))
    assert {"content-md5", "range", "if-range", "if-match", "if-none-match"} <= allowed
    read = http.request("GET", url, headers={"origin": "http://localhost:3000"}, retries=False)
    exposed = set(read.headers["access-control-expose-headers"].split(","))
    assert {"etag", "content-range", "accept-ranges", "last-modified"} <= exposed


@pytest.mark.parametrize(
    ("name", "values", "status"),
    [("if-none-match", ['"x"', "{etag}"], 304), ("if-match", ['"x"', "{etag}"], 206), ("if-match", ['"x"', '"y"'], 412),
     ("range", ["bytes=0-1", "bytes=4-5"], 200)],
)  # fmt: skip
def test_what_is_said_in_several_lines_is_one_list(
    local: Server, http: urllib3.PoolManager, name: str, values: list[str], status: int
) -> None:
    client, artifact_id = uploaded(local, http, {"f": b"0123456789"})
    url = client.downloads(artifact_id)["f"].url
    etag = http.request("HEAD", url, retries=False).headers["etag"]
    headers = urllib3.HTTPHeaderDict({} if name == "range" else {"range": "bytes=0-1"})
    for value in values:
        headers.add(name, value.format(etag=etag))
    assert http.request("GET", url, headers=headers, retries=False).status == status


def test_who_says_twice_who_it_is_is_refused(local: Server, http: urllib3.PoolManager) -> None:
    client, artifact_id = uploaded(local, http, {"f": b"0123456789"})
    headers = urllib3.HTTPHeaderDict({"authorization": "Bearer a"})
    headers.add("authorization", "Bearer b")
    answer = http.request("GET", client.downloads(artifact_id)["f"].url, headers=headers, retries=False)
    sentence = "authorization: the call has 2 different values of it; send one."
    assert (answer.status, answer.json()) == (400, {"code": "invalid_argument", "message": sentence})


def test_what_http_refuses(local: Server, http: urllib3.PoolManager) -> None:
    client = Client(local)
    begun = client.begin({"f": b"declared"})
    (url,) = client.urls(begun.artifact_id)
    base = f"{local.http_url}/artifacts/{begun.artifact_id}/files"

    def put(address: str, body: bytes) -> tuple[int, str]:
        answer = http.request("PUT", address, body=body, retries=False)
        return answer.status, answer.data.decode()

    for digits in (str(2**63), "9" * 5_000):  # of which the second is more than Python reads
        refused = http.request("GET", f"{local.http_url}/artifacts/{digits}/files/x")
        assert (refused.status, refused.json()["code"]) == (400, "invalid_argument")
        assert refused.json()["message"] == f"artifact id: {digits[:40]} has more than 64 bits."
    too_large = json.dumps({"code": "invalid_argument", "message": f"artifact id: {2**63} has more than 64 bits."})
    assert put(url.request.url, b"other!!!")[0] == 400
    assert "md5" in put(url.request.url, b"other!!!")[1]
    assert put(url.request.url, b"short")[0] == 400
    assert put(f"{base}/g", b"declared")[0] == 404
    assert put(f"{base}/f?part=x", b"declared")[0] == 400
    assert put(f"{local.http_url}/artifacts/999/files/f", b"")[0] == 404
    assert put(f"{local.http_url}/artifacts/{2**63}/files/f", b"") == (400, too_large)
    assert http.request("GET", f"{local.http_url}/artifacts/{2**63}/files/f", retries=False).data.decode() == too_large
    assert put(f"{base}/..%2f..%2fetc", b"")[0] == 404
    assert http.request("GET", f"{base}/f", retries=False).status == 404
    assert put(url.request.url, b"declared")[0] == 200
    client.commit(begun.artifact_id)
    assert put(url.request.url, b"declared")[0] == 400
    assert http.request("GET", f"{base}/f", retries=False).data == b"declared"


def test_changed_bytes_never_look_complete(local: Server, http: urllib3.PoolManager) -> None:
    client, artifact_id = uploaded(local, http, {"f": b"x" * 3_000_000})
    (path,) = (local.folder / "mlmd-data" / "artifacts").glob(f"_/system.Model/_/{artifact_id}/f")
    path.write_bytes(b"x" * 2_999_999 + b"y")
    url = client.downloads(artifact_id)["f"].url
    before = len(local.stderr.read_text().splitlines())
    with pytest.raises(urllib3.exceptions.ProtocolError):
        http.request("GET", url, retries=False)
    assert http.request("GET", f"{local.http_url}/healthz", retries=False).status == 200
    wait_for(lambda: "DATA_LOSS" in local.stderr.read_text())
    told = "\n".join(local.stderr.read_text().splitlines()[before:])
    assert told.count("ReadFile") == 1
    assert "Traceback" not in told
    assert "ASGI" not in told


def test_transfers_are_logged_counted_and_end_with_their_deadline(
    sqlite_url: str, start_server: StartServer, http: urllib3.PoolManager
) -> None:
    server = start_server(sqlite_url, http=True, options=("--log-format", "json"))
    client = Client(server)
    begun = client.begin({"f": b"x" * 3_000_000})
    (url,) = client.urls(begun.artifact_id)
    late = {"connect-timeout-ms": "0"}
    assert http.request("PUT", url.request.url, body=b"x" * 3_000_000, headers=late, retries=False).status == 504
    wrong = {"connect-timeout-ms": "soon"}
    assert http.request("PUT", url.request.url, body=b"", headers=wrong, retries=False).status == 400
    named = {"x-request-id": "mine"}
    sent = http.request("PUT", url.request.url, body=b"x" * 3_000_000, headers=named, retries=False)
    assert (sent.status, sent.headers["x-request-id"]) == (200, "mine")
    client.commit(begun.artifact_id)
    assert len(http.request("GET", url.request.url, retries=False).data) == 3_000_000
    assert http.request("GET", url.request.url + "2", retries=False).status == 404
    lines = [json.loads(line) for line in server.stderr.read_text().splitlines() if "File" in line]
    noted = [
        (line["method"].rpartition("/")[2], line["code"], line["request_bytes"], line["response_bytes"])
        for line in lines
        if line["method"].endswith(("/ReadFile", "/WriteFile"))
    ]
    assert noted == [
        ("WriteFile", "DEADLINE_EXCEEDED", 0, 0), ("WriteFile", "INVALID_ARGUMENT", 0, 0),
        ("WriteFile", "OK", 3_000_000, 0), ("ReadFile", "OK", 0, 3_000_000), ("ReadFile", "NOT_FOUND", 0, 0),
    ]  # fmt: skip
    assert [line["request_id"] for line in lines if line["code"] == "OK" and "WriteFile" in line["method"]] == ["mine"]
    page = http.request("GET", f"{server.http_url}/metrics").data.decode()
    assert 'mlmd_calls_total{code="OK",method="mlmd.v1.ArtifactStore/ReadFile",wire="http"} 1.0' in page
    assert "mlmd_calls_in_flight 1.0" in page or "mlmd_calls_in_flight 0.0" in page


def test_who_hangs_up_with_the_last_byte_did_not_leave_in_the_middle(local: Server, http: urllib3.PoolManager) -> None:
    client, artifact_id = uploaded(local, http, {"f": b"x" * 3_000_000, "large": b"x" * 30_000_000})
    urls = client.downloads(artifact_id)
    before = len(local.stderr.read_text().splitlines())

    def read(path: str, count: int) -> None:
        address = urllib3.util.parse_url(urls[path].url)
        with (
            socket.create_connection((address.host, address.port), 60) as connection,
            connection.makefile("rb") as answer,
        ):
            connection.sendall(f"GET {address.request_uri} HTTP/1.1\r\nhost: {address.host}\r\n\r\n".encode())
            assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
            while answer.readline() != b"\r\n":
                pass
            assert len(answer.read(count)) == count

    def told() -> list[str]:
        return [line for line in local.stderr.read_text().splitlines()[before:] if "ReadFile" in line]

    for _ in range(20):
        read("f", 3_000_000)
    wait_for(lambda: len(told()) == 20)
    assert all(" OK " in line and "->3000000B" in line for line in told())
    read("large", 100)
    wait_for(lambda: len(told()) == 21)
    assert "The caller left in the middle of the file." in told()[-1]
