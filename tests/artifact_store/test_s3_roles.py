"""Keys of roles: asked for before they end, by one thread at a time, and why there are none."""

import datetime
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from minio.credentials.credentials import Credentials
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_credentials import credentials_of
from mlmd_artifact_store.s3_roles import RoleCredentials, machines_role, named_role
from mlmd_artifact_store.s3_settings import S3Settings, completed
from mlmd_schemas.errors import FailedPrecondition, Unavailable

from tests.artifact_store.conformance.suite import content_of, put
from tests.artifact_store.test_s3_credentials import KEYS, ROLES
from tests.services.ceph import S3Address
from tests.services.ports import free_port

TOKENS = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>
<SessionToken>session</SessionToken><Expiration>{}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""


class Role(ThreadingHTTPServer):
    """A container's credentials by GET, a token service by POST; each answer is what `answer` makes of the request."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        """Path with query, and `Authorization`, of each request."""
        self.answer: Callable[[str], tuple[int, str]] = lambda path: (404, "")
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Role

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("authorization", "")))
        status, text = self.server.answer(self.path)
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    do_POST = do_GET

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without keys."""
    for name in (*KEYS, *ROLES, "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def role() -> Iterator[Role]:
    """Somebody who gives keys."""
    with Role() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


def ends_in(seconds: float) -> str:
    """Return a moment as such services write it."""
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
    return end.strftime("%Y-%m-%dT%H:%M:%SZ")


def keys_of(access_key: str, secret_key: str) -> tuple[int, str]:
    """Return what a container's credentials look like."""
    told = {"AccessKeyId": access_key, "SecretAccessKey": secret_key, "Token": "", "Expiration": ends_in(3600)}
    return 200, json.dumps(told)


def test_a_containers_credentials_open_a_store(
    s3: S3Address, bucket: str, role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{role.url}/keys")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "pod")
    role.answer = lambda path: keys_of(s3.access_key, s3.secret_key)
    store = S3Store(S3Settings(bucket, s3.endpoint, "us-east-1"))
    for key in ("a", "b"):
        put(store, key, b"x")
        assert content_of(store, key) == b"x"
    assert role.asked == [("/keys", "pod")]


def test_a_token_is_changed_for_keys(role: Role, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("pod's token")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/models")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", role.url)
    role.answer = lambda path: (200, TOKENS.format("key", "secret", ends_in(3600)))
    found = credentials_of(completed(S3Settings("models", "http://minio:9000"))).retrieve()
    assert (found.access_key, found.secret_key, found.session_token) == ("key", "secret", "session")
    asked = parse_qs(urlsplit(role.asked[0][0]).query)
    assert asked["WebIdentityToken"] == ["pod's token"]
    assert asked["RoleArn"] == ["arn:aws:iam::1:role/models"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [((403, "no"), "HTTP 403"), ((200, "<html/>"), "the answer holds none"), ((500, ""), "HTTP 500")],
)
def test_a_role_that_gives_no_keys_is_told_without_its_token(
    role: Role, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, str], reason: str
) -> None:
    (tmp_path / "token").write_text("pod's token")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", role.url)
    role.answer = lambda path: answer
    with pytest.raises(Unavailable, match=f"AWS_WEB_IDENTITY_TOKEN_FILE names .*: {reason}; see") as refused:
        S3Store(S3Settings("models", "http://127.0.0.1:9", "us-east-1")).check()
    assert "token" not in str(refused.value).replace("AWS_WEB_IDENTITY_TOKEN_FILE", "")
    assert refused.value.__cause__ is None


def test_a_token_file_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    with pytest.raises(Unavailable, match=r"/token: No such file or directory; see"):
        S3Store(S3Settings("models", "http://127.0.0.1:9", "us-east-1")).check()


def test_nobody_who_gives_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{free_port()}/keys")
    with pytest.raises(Unavailable, match=r"AWS_CONTAINER_CREDENTIALS_FULL_URI names .*: nobody answers"):
        credentials_of(completed(S3Settings("models", "http://127.0.0.1:9"))).retrieve()


def test_a_machine_without_a_role_has_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> Credentials:
        raise ValueError("the machine's metadata service gives none: nobody answers")

    monkeypatch.setattr("mlmd_artifact_store.s3_credentials.machines_role", nobody)
    with pytest.raises(FailedPrecondition, match=r"no credentials .*service gives none: nobody answers\); set"):
        S3Store(S3Settings("models", region="eu-west-1")).check()


def test_the_metadata_service_of_a_machine(role: Role, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "/latest/api/token": (200, "session"),
        "/latest/meta-data/iam/security-credentials/": (200, "models"),
        "/latest/meta-data/iam/security-credentials/models": keys_of("key", "secret"),
    }
    role.answer = lambda path: answers[path]
    assert named_role() is None
    monkeypatch.setattr(_Handler, "do_PUT", _Handler.do_GET, raising=False)
    monkeypatch.setattr("mlmd_artifact_store.s3_roles.METADATA_SERVICE", role.url)
    assert machines_role().access_key == "key"
    answers["/latest/api/token"] = (404, "")
    with pytest.raises(ValueError, match="gives none: HTTP 404"):
        machines_role()


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        """Return the moment."""
        return self.now


class Giver:
    """Who gives keys of an hour, each with the number of the time it was asked, or refuses."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.times = 0
        self.refuses = False

    def __call__(self) -> Credentials:
        """Give keys."""
        self.times += 1
        if self.refuses:
            raise Unavailable(f"refused {self.times}.")
        end = datetime.datetime.fromtimestamp(self._clock.now + 3600, datetime.UTC)
        return Credentials(str(self.times), "secret", "session", end)


def test_keys_are_replaced_before_they_end() -> None:
    clock = Clock()
    giver = Giver(clock)
    role = RoleCredentials(giver, clock)
    assert [role.retrieve().access_key for _ in range(3)] == ["1", "1", "1"]
    clock.now += 2399
    assert role.retrieve().access_key == "1"
    clock.now += 2
    assert role.retrieve().access_key == "2"


def test_keys_are_used_to_their_end_while_no_others_are_given(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    giver = Giver(clock)
    role = RoleCredentials(giver, clock)
    assert role.retrieve().access_key == "1"
    clock.now += 3000
    giver.refuses = True
    assert [role.retrieve().access_key for _ in range(3)] == ["1", "1", "1"]
    assert giver.times == 2
    assert "refused 2. They still have keys for 600 s." in caplog.text
    clock.now += 595
    for _ in range(2):
        with pytest.raises(Unavailable, match="refused 3"):
            role.retrieve()
    giver.refuses = False
    clock.now += 11
    assert role.retrieve().access_key == "4"


def test_one_thread_asks_while_the_others_use_what_there_is() -> None:
    clock = Clock()
    asked, go_on = threading.Event(), threading.Event()
    giver = Giver(clock)

    def slow() -> Credentials:
        if giver.times:
            asked.set()
            go_on.wait(60)
        return giver()

    role = RoleCredentials(slow, clock)
    role.retrieve()
    clock.now += 3000
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(role.retrieve)
        assert asked.wait(60)
        assert role.retrieve().access_key == "1"
        go_on.set()
        assert first.result(60).access_key == "2"
    assert role.retrieve().access_key == "2"


def test_all_wait_for_the_first_keys() -> None:
    giver = Giver(Clock())

    def slow() -> Credentials:
        time.sleep(0.05)
        return giver()

    role = RoleCredentials(slow, Clock())
    with ThreadPoolExecutor(8) as pool:
        assert {keys.access_key for keys in pool.map(lambda _: role.retrieve(), range(16))} == {"1"}
