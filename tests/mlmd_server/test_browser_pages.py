"""What pages can do to a server, and files to whoever opens them, in a real browser."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import urllib3

from tests.artifact_store.served import uploaded
from tests.conftest import StartServer
from tests.services.browser import Browser, Pages
from tests.services.server import Server

MODELS = "/api/model_registry/v1alpha3/registered_models"
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)
PLANTED = "document.title = 'ran'"
FILES = {
    "report.html": f'<title>quiet</title><script>{PLANTED}</script><img src=x onerror="{PLANTED}">'.encode(),
    "plot.svg": f"<svg xmlns='http://www.w3.org/2000/svg'><title>quiet</title><script>{PLANTED}</script></svg>".encode(),
    "page.xhtml": (
        "<html xmlns='http://www.w3.org/1999/xhtml'><head><title>quiet</title></head>"
        f"<body><script>{PLANTED}</script></body></html>"
    ).encode(),
    "figures.js": b"window.figures = 'secret'",
    "style.css": b"body { --colour: secret }",
    "pixel.png": PIXEL,
}
MEDIA_TYPES = {
    "report.html": "text/html", "plot.svg": "image/svg+xml", "page.xhtml": "application/xhtml+xml",
    "figures.js": "text/javascript", "style.css": "text/css", "pixel.png": "image/png",
}  # fmt: skip
EMBED = """
    const [url, kind, crossOrigin] = arguments;
    const element = document.createElement(kind);
    if (crossOrigin) element.crossOrigin = "anonymous";
    if (kind === "link") element.rel = "stylesheet";
    const loaded = new Promise((done) => {
        element.onload = () => done(true);
        element.onerror = () => done(false);
    });
    element[kind === "link" ? "href" : "src"] = url;
    document.body.append(element);
    return [await loaded, window.figures || getComputedStyle(document.body).getPropertyValue("--colour")];
"""
FETCH = """
    const [url, options] = arguments;
    try {
        const answer = await fetch(url, options || {});
        return [answer.status, await answer.text()];
    } catch (error) {
        return [0, String(error)];
    }
"""
POST_FORM = """
    const [url, encoding] = arguments;
    const frame = document.createElement("iframe");
    frame.name = "answer";
    document.body.append(frame);
    const form = document.createElement("form");
    Object.assign(form, {action: url, method: "POST", enctype: encoding, target: "answer"});
    const field = document.createElement("input");
    Object.assign(field, {name: '{"name": "planted", "description": "', value: '"}'});
    form.append(field);
    document.body.append(form);
    const answered = new Promise((done) => { frame.onload = done; });
    form.submit();
    await answered;
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of one's own machine, with the options that it has by itself."""
    folder = tmp_path_factory.mktemp("machine")
    with Server(f"sqlite:///{folder}/metadata.db", folder, http=True) as server:
        yield server


@pytest.fixture(scope="module")
def files(machine: Server) -> str:
    """The address of an artifact's files on it."""
    with urllib3.PoolManager() as http:
        _, artifact_id = uploaded(machine, http, FILES, media_types=MEDIA_TYPES)
    return f"{machine.http_url}/artifacts/{artifact_id}/files"


def test_a_page_of_the_web_learns_nothing_from_what_it_embeds(browser: Browser, pages: Pages, files: str) -> None:
    embedded = (("script", "figures.js"), ("link", "style.css"), ("img", "pixel.png"), ("img", "plot.svg"))
    browser.open(pages.at("elsewhere.example"))
    for kind, name in embedded:
        for asking in (False, True):
            assert browser.run(EMBED, f"{files}/{name}", kind, asking) == [False, ""]
        assert browser.run(FETCH, f"{files}/{name}")[0] == 0
    for kind, name in embedded:
        browser.open(pages.at("localhost"))
        assert browser.run(EMBED, f"{files}/{name}", kind, True) == [True, "" if kind == "img" else "secret"]


def test_a_page_of_the_web_changes_nothing_without_asking(browser: Browser, pages: Pages, machine: Server) -> None:
    def descriptions() -> list[str]:
        models = httpx.get(machine.http_url + MODELS, timeout=60, trust_env=False).json()
        return [model["description"] for model in models["items"]]

    for encoding in ("text/plain", "multipart/form-data", "application/x-www-form-urlencoded"):
        browser.open(pages.at("elsewhere.example"))
        browser.run(POST_FORM, machine.http_url + MODELS, encoding)
    assert descriptions() == []
    browser.open(pages.at("localhost"))
    browser.run(POST_FORM, machine.http_url + MODELS, "text/plain")
    assert descriptions() == ["="]


def test_a_site_whose_name_is_made_to_lead_here_is_refused(browser: Browser, machine: Server) -> None:
    """After DNS rebinding the page is of the server's origin, for the browser."""
    rebound = f"http://rebound.example:{machine.http_port}"
    browser.open(rebound)
    assert "rebound.example" in browser.run("return document.body.innerText")
    body = {"method": "POST", "headers": {"content-type": "application/json"}, "body": '{"name": "planted"}'}
    for path in (MODELS, "/ml_metadata.MetadataStoreService/PutArtifactType", "/graphql"):
        assert browser.run(FETCH, path, body)[0] == 403
    assert browser.run(FETCH, "/metrics")[0] == 403


def test_a_stored_file_is_shown_and_does_not_run(browser: Browser, files: str) -> None:
    for name in ("report.html", "plot.svg", "page.xhtml"):
        browser.open(f"{files}/{name}")
        shown = browser.run("return [document.contentType, document.title, self.origin]")
        assert shown == [MEDIA_TYPES[name], "quiet", "null"]


def test_what_the_browser_kept_is_not_shown_under_another_token(
    browser: Browser, pages: Pages, start_server: StartServer, tmp_path: Path
) -> None:
    """The files of two tenants have one address; old ones a browser takes for fresh, unless it is told to ask."""
    tenants = ("red", "blue")
    (tmp_path / "tokens.toml").write_text(
        "".join(
            f'[[token]]\ntoken = "{name}"\nsubject = "s"\ntenant = "{name}"\nroles = ["writer"]\n' for name in tenants
        )
    )
    (tmp_path / "tenants.toml").write_text(
        "".join(f'[tenant.{name}]\ndatabase = "sqlite:///{tmp_path}/{name}.db"\n' for name in tenants)
    )
    options = ("--auth", f"tokens={tmp_path}/tokens.toml", "--tenants", f"{tmp_path}/tenants.toml")
    server = start_server(f"sqlite:///{tmp_path}/default.db", http=True, options=options)
    with urllib3.PoolManager() as http:
        ids = {uploaded(server, http, {"f": name.encode()}, token=name)[1] for name in tenants}
    for name in tenants:
        with sqlite3.connect(tmp_path / f"{name}.db") as database:
            database.execute("UPDATE mlmd_manifests SET create_ms = create_ms - 86400000 * 30")
    assert len(ids) == 1
    address = f"{server.http_url}/artifacts/{ids.pop()}/files/f"
    browser.open(pages.at("elsewhere.example"))
    for name in (*tenants, *tenants):
        assert browser.run(FETCH, address, {"headers": {"authorization": f"Bearer {name}"}}) == [200, name]
    assert browser.run(FETCH, address)[0] == 401
