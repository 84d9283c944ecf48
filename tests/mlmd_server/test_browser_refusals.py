"""What a page that may call reads of every refusal, and what ends a watch by `EventSource`, in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from tests.services.browser import Browser, Pages
from tests.services.server import Server

FETCH = """
    const [url, method, type, size] = arguments;
    const body = size === null ? undefined : "x".repeat(size);
    const headers = type ? {"content-type": type} : {};
    const read = async (answer) => {
        const text = await answer.text();
        try { return [answer.status, (JSON.parse(text).code || JSON.parse(text).errors[0].extensions.code)]; }
        catch { return [answer.status, text]; }
    };
    return await fetch(url, {method, headers, body}).then(read, (error) => [0, error.name]);
"""
# Returns what was heard until the browser gave up, or came again: then also what it heard when it was let in.
LISTEN = """
    const [base, model, cursor] = arguments;
    const watch = (...rest) => new EventSource(`${base}/registry/watch?${new URLSearchParams(rest)}`);
    const holder = cursor === "full" ? watch(["model", model]) : null;
    if (holder) await new Promise((done) => holder.addEventListener("models", done));
    const source = watch(["model", model], ...(holder || !cursor ? [] : [["cursor", cursor]]));
    const heard = [];
    await new Promise((done) => {
        source.addEventListener("models", (event) => { heard.push("models"); done(); });
        source.onerror = (event) => {
            heard.push(event.data ? JSON.parse(event.data).code : ["coming again", "", "given up"][source.readyState]);
            if (holder) holder.close();
            if (source.readyState === EventSource.CLOSED) done();
        };
    });
    source.close();
    return heard;
"""
CALL = "/ml_metadata.MetadataStoreService/GetArtifacts"
API = "/api/model_registry/v1"
JSON = "application/json"
LIMIT_BYTES = 10_000
REFUSALS = [
    ("/nowhere/at/all", "GET", "", None, 404, "not_found"),
    ("/favicon.ico", "GET", "", None, 404, "not_found"),
    ("/", "POST", JSON, 2, 405, "unimplemented"),
    ("/made.up/Name", "POST", JSON, 2, 501, "unimplemented"),
    ("/mlmd.v1.ModelRegistry/WatchModels", "POST", JSON, 2, 501, "unimplemented"),
    (CALL, "GET", "", None, 405, "unimplemented"),
    (CALL, "POST", "text/plain", 2, 415, "invalid_argument"),
    (CALL, "POST", JSON, 2, 400, "invalid_argument"),
    (CALL, "POST", JSON, 2 * LIMIT_BYTES, 429, "resource_exhausted"),
    (CALL, "POST", JSON, 500 * LIMIT_BYTES, 429, "resource_exhausted"),
    ("/graphql", "PUT", JSON, 2, 405, "UNIMPLEMENTED"),
    ("/graphql", "POST", "text/plain", 2, 415, "INVALID_ARGUMENT"),
    ("/graphql", "POST", JSON, 2 * LIMIT_BYTES, 429, "RESOURCE_EXHAUSTED"),
    (f"{API}/nonsense", "GET", "", None, 404, "Not Found"),
    (f"{API}/registered_models", "DELETE", "", None, 405, "Method Not Allowed"),
    (f"{API}/registered_models", "POST", JSON, 2 * LIMIT_BYTES, 413, "Request Entity Too Large"),
    ("/artifacts/7/files/none", "GET", "", None, 404, "not_found"),
    ("/artifacts/7/files/none", "DELETE", "", None, 405, "unimplemented"),
    ("/artifacts/seven/files/none", "GET", "", None, 404, "not_found"),
    ("/registry/resolve", "POST", JSON, 2, 405, "unimplemented"),
    ("/registry/resolve?uri=models:/none@champion", "GET", "", None, 404, "not_found"),
    ("/registry/watch", "PUT", JSON, 2, 405, "unimplemented"),
    ("/registry/watch?model=none", "GET", "", None, 404, "not_found"),
]
PROBES = ("/healthz", "/readyz", "/metrics", "/readyz/isDirty", "/readyz/health")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, pages: Pages) -> Iterator[Server]:
    """A server for the pages of one site, with little room for requests and for two streams, and a model `m`."""
    folder = tmp_path_factory.mktemp("refusals")
    options = ("--cors-origins", pages.at("ui.example"), "--max-message-bytes", str(LIMIT_BYTES), "--streams", "1")
    with Server(f"sqlite:///{folder}/metadata.db", folder, http=True, options=options) as started:
        with urllib3.PoolManager() as http:
            models = f"{started.http_url}{API}/registered_models"
            assert http.request("POST", models, json={"name": "m"}).status == 201
        yield started


@pytest.mark.parametrize(("path", "verb", "content_type", "size", "status", "code"), REFUSALS)
def test_a_page_reads_why_it_was_refused(
    browser: Browser, pages: Pages, server: Server, path: str, verb: str, content_type: str, size: int | None,
    status: int, code: str,
) -> None:  # fmt: skip
    browser.open(pages.at("ui.example"))
    assert browser.run(FETCH, server.http_url + path, verb, content_type, size) == [status, code]


def test_a_page_reads_that_it_called_by_a_name_that_is_none(browser: Browser, pages: Pages, server: Server) -> None:
    browser.open(pages.at("ui.example"))
    elsewhere = f"http://server.example:{server.http_port}{CALL}"
    assert browser.run(FETCH, elsewhere, "POST", JSON, 2) == [403, "permission_denied"]


def test_a_page_that_may_not_call_reads_no_refusal(browser: Browser, pages: Pages, server: Server) -> None:
    browser.open(pages.at("elsewhere.example"))
    for path, verb in (("/nowhere/at/all", "GET"), (CALL, "GET"), ("/artifacts/7/files/none", "DELETE")):
        assert browser.run(FETCH, server.http_url + path, verb, "", None) == [0, "TypeError"]


@pytest.mark.parametrize("path", PROBES)
def test_no_page_reads_what_is_for_machines(browser: Browser, pages: Pages, server: Server, path: str) -> None:
    browser.open(pages.at("ui.example"))
    assert browser.run(FETCH, server.http_url + path, "GET", "", None) == [0, "TypeError"]


def test_a_watch_of_what_is_wrong_is_given_up(browser: Browser, pages: Pages, server: Server) -> None:
    browser.open(pages.at("ui.example"))
    assert browser.run(LISTEN, server.http_url, "none", "") == ["given up"]
    assert browser.run(LISTEN, server.http_url, "m", "yesterday") == ["given up"]


def test_a_watch_without_a_place_comes_again_by_itself(browser: Browser, pages: Pages, server: Server) -> None:
    browser.open(pages.at("ui.example"))
    heard = browser.run(LISTEN, server.http_url, "m", "full")
    assert heard[:2] == ["resource_exhausted", "coming again"]
    assert heard[-1] == "models"


def test_a_watch_without_a_token_is_given_up(browser: Browser, pages: Pages, tmp_path: Path) -> None:
    (tmp_path / "tokens.toml").write_text('[[token]]\ntoken = "t"\nsubject = "s"\nroles = ["reader"]\n')
    options = ("--auth", f"tokens={tmp_path}/tokens.toml")
    with Server(f"sqlite:///{tmp_path}/m.db", tmp_path, http=True, options=options) as guarded:
        browser.open(pages.at("ui.example"))
        assert browser.run(FETCH, f"{guarded.http_url}/registry/watch?model=m", "GET", "", None) == [
            401,
            "unauthenticated",
        ]
        assert browser.run(LISTEN, guarded.http_url, "m", "") == ["given up"]
