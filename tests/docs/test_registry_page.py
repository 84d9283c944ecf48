"""The examples of the page on the model registry do what it says."""

import re
import shlex
from pathlib import Path
from typing import Any

import httpx
from mlmd_model_registry.courier import signature

from tests.conftest import StartServer

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "registry.md").read_text()


def test_the_calls_are_answered_one_after_another(start_server: StartServer, sqlite_url: str) -> None:
    server = start_server(sqlite_url, http=True)
    commands = [
        command
        for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.S)
        for command in block.replace("\\\n", " ").splitlines()
    ]
    assert len(commands) == 5
    answers: list[dict[str, Any]] = []
    for command in commands:
        words = shlex.split(command)
        url = next(word for word in words if word.startswith("http://")).replace(
            "http://127.0.0.1:8081", server.http_url
        )
        with httpx.Client(trust_env=False) as client:
            if "-d" in words:
                body = words[words.index("-d") + 1]
                answer = client.post(url, content=body, headers={"content-type": "application/json"})
            else:
                answer = client.get(url)
        assert answer.status_code == 200, (command, answer.text)
        answers.append(answer.json())
    assert answers[0]["version"]["number"] == "1"
    assert answers[1]["move"]["toNumber"] == "1"
    assert answers[2]["uri"] == "s3://models/fraud/1"
    assert answers[3]["digest"] == answers[2]["digest"]
    assert answers[4]["secret"]


def test_the_check_of_a_signature_tells_the_genuine_from_others() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
    names: dict[str, Any] = {}
    exec(example, names)
    header = signature("secret", 1_700_000_000, b"{}")
    assert names["is_genuine"]("secret", header, b"{}")
    assert not names["is_genuine"]("other", header, b"{}")
    assert not names["is_genuine"]("secret", header, b"[]")
