"""What a page of another origin says and hears, in a real browser: gRPC-Web, a watch of models, files up and down."""

import hashlib
from collections.abc import Iterator

import pytest
import urllib3

from tests.artifact_store.served import Client
from tests.services.browser import Browser, Pages
from tests.services.server import Server

CALL = """
    const [url, type, request, headers] = arguments;
    const isText = type.includes("text");
    const framed = new Uint8Array([0, 0, 0, 0, request.length, ...request]);
    const body = isText ? btoa(String.fromCharCode(...framed)) : framed;
    const sent = {"content-type": type, "x-grpc-web": "1", ...headers};
    const answer = await fetch(url, {method: "POST", headers: sent, body});
    const said = isText
        ? Uint8Array.from(atob(await answer.text()), (letter) => letter.charCodeAt(0))
        : new Uint8Array(await answer.arrayBuffer());
    return [answer.status, answer.headers.get("x-request-id"), new TextDecoder().decode(said)];
"""
WATCH = """
    const [base, type] = arguments;
    const request = new Uint8Array([0, 0, 0, 0, 3, 10, 1, 109]);
    const body = type.includes("text") ? btoa(String.fromCharCode(...request)) : request;
    const open = async () => {
        const stop = new AbortController();
        const options = {method: "POST", headers: {"content-type": type}, body, signal: stop.signal};
        const answer = await fetch(base + "/mlmd.v1.ModelRegistry/WatchModels", options);
        const piece = new TextDecoder().decode((await answer.body.getReader().read()).value);
        return [type.includes("text") ? atob(piece) : piece, () => stop.abort()];
    };
    const openInTurn = async () => {
        for (;;) {
            const [said, leave] = await open();
            if (!said.includes("grpc-status:8")) return [said, leave];
            await new Promise((done) => setTimeout(done, 20));
        }
    };
    const [first, leave] = await openInTurn();
    const [refused] = await open();
    leave();
    const [after, leaveAfter] = await openInTurn();
    leaveAfter();
    return [first, refused, after];
"""
RESUME = """
    const [url, cursor] = arguments;
    const stop = new AbortController();
    const answer = await fetch(url, {headers: cursor ? {"last-event-id": cursor} : {}, signal: stop.signal});
    const said = new TextDecoder().decode((await answer.body.getReader().read()).value);
    stop.abort();
    return said;
"""
SEND = """
    const [url, headers, size] = arguments;
    const file = new File([new Uint8Array(size).fill(7)], "weights.bin", {type: "image/png"});
    const answer = await fetch(url, {method: "PUT", headers, body: file});
    return [answer.status, answer.headers.get("etag") !== null];
"""
FETCH_AGAIN = """
    const [url] = arguments;
    const whole = await fetch(url);
    const size = (await whole.arrayBuffer()).byteLength;
    const etag = whole.headers.get("etag");
    const same = await fetch(url, {headers: {"if-none-match": etag}, cache: "no-store"});
    const part = await fetch(url, {headers: {range: "bytes=5-9", "if-range": etag}});
    return [size, etag, same.status, part.status, part.headers.get("content-range"), await part.text()];
"""
GRPC_WEB = ("application/grpc-web+proto", "application/grpc-web-text")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that lets in every page and has one place for a stream, with a model `m`."""
    folder = tmp_path_factory.mktemp("open")
    options = ("--cors-origins", "*", "--streams", "1")
    with Server(f"sqlite:///{folder}/metadata.db", folder, http=True, options=options) as started:
        with urllib3.PoolManager() as http:
            models = f"{started.http_url}/api/model_registry/v1/registered_models"
            assert http.request("POST", models, json={"name": "m"}).status == 201
        yield started


def test_both_kinds_of_grpc_web_are_called_and_refused(browser: Browser, pages: Pages, server: Server) -> None:
    browser.open(pages.at("elsewhere.example"))
    methods = f"{server.http_url}/ml_metadata.MetadataStoreService"
    headers = {"authorization": "Bearer any", "x-request-id": "mine", "mlmd-idempotency-key": "k", "grpc-timeout": "1M"}
    for kind in GRPC_WEB:
        status, request_id, said = browser.run(CALL, f"{methods}/GetArtifactTypes", kind, [], headers)
        assert (status, request_id, said.endswith("grpc-status:0\r\n")) == (200, "mine", True)
        unknown = [10, 2, *"é".encode()]
        status, _, said = browser.run(CALL, f"{methods}/GetArtifactType", kind, unknown, {})
        assert (status, "grpc-status:5\r\ngrpc-message:type_name: there is no" in said) == (200, True)


def test_the_place_of_a_watch_that_a_page_left_is_free_again(browser: Browser, pages: Pages, server: Server) -> None:
    browser.open(pages.at("elsewhere.example"))
    for kind in GRPC_WEB:
        first, refused, after = browser.run(WATCH, server.http_url, kind)
        assert "grpc-status:8" in refused
        assert first == after
        assert first.startswith("\0\0\0\0")


def test_a_page_goes_on_with_the_events_where_it_was(browser: Browser, pages: Pages, server: Server) -> None:
    """A page with a token cannot use EventSource, and has to ask for leave to say the last id."""
    browser.open(pages.at("elsewhere.example"))

    def told(cursor: str) -> str:
        said: str = browser.run(RESUME, f"{server.http_url}/registry/watch?model=m", cursor)
        while "resource_exhausted" in said:  # the stream before has the place yet
            said = browser.run(RESUME, f"{server.http_url}/registry/watch?model=m", cursor)
        return said

    assert "event: models\nid: 1=0\n" in told("")
    assert "invalid_argument" in told("none")


def test_a_page_sends_and_fetches_files(browser: Browser, pages: Pages, server: Server) -> None:
    content = bytes([7]) * 300_000
    client = Client(server)
    begun = client.begin({'ü "q" %23#?.bin': content})
    (url,) = client.urls(begun.artifact_id)
    browser.open(pages.at("elsewhere.example"))
    assert browser.run(SEND, url.request.url, dict(url.request.headers), len(content)) == [200, True]
    client.commit(begun.artifact_id)
    (download,) = client.downloads(begun.artifact_id).values()
    etag = f'"{hashlib.sha256(content).hexdigest()}"'
    assert browser.run(FETCH_AGAIN, download.url) == [300_000, etag, 304, 206, "bytes 5-9/300000", "\x07" * 5]
