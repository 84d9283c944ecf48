"""`/graphql` of a server process: the page's first request, and what its options decide."""

import json
from collections.abc import Callable

import httpx

from tests.services.server import Server


def ask(server: Server, query: str) -> httpx.Response:
    """Send one operation."""
    headers = {"content-type": "application/json"}
    body = json.dumps({"query": query}).encode()
    return httpx.post(f"{server.http_url}/graphql", content=body, headers=headers, timeout=60, trust_env=False)


def test_a_server_answers_graphql_as_its_options_say(start_server: Callable[..., Server], sqlite_url: str) -> None:
    options = ("--graphql-introspection", "false", "--graphql-max-depth", "4", "--graphql-max-cost", "1000")
    server = start_server(sqlite_url, http=True, options=options)
    made = ask(server, 'mutation { putArtifactType(type: {name: "Data"}) { type { id } } }').json()
    type_id = made["data"]["putArtifactType"]["type"]["id"]
    ask(
        server, f'mutation {{ putArtifacts(artifacts: [{{typeId: "{type_id}", name: "a"}}]) {{ artifacts {{ id }} }} }}'
    )
    found = ask(server, "{ artifacts(first: 3) { nodes { databaseId name type { name } } } }").json()
    assert found == {"data": {"artifacts": {"nodes": [{"databaseId": "1", "name": "a", "type": {"name": "Data"}}]}}}
    many = " ".join(f"a{number}: name" for number in range(20))
    for query, part in (
        ("{ __schema { types { name } } }", "introspection"),
        ("{ artifacts { nodes { type { artifacts { nodes { id } } } } } }", "depth: "),
        (f"{{ artifacts(first: 100) {{ nodes {{ {many} }} }} }}", "cost: "),
    ):
        (error, *_) = ask(server, query).json()["errors"]
        assert part in error["message"]
