"""Sentences of the contracts before their numbered cases, driven on our store and on Google's core.

tests/data/contract_sentences.txt holds them. A sentence begins with `==`, its place in a contract and what it says;
`on sqlite` after the place stands for sentences whose ids differ on MySQL. The lines below are calls, made in order on
two empty stores with the types of `setup`:

    Method expectation <- request, as protobuf's text, or `bytes` and hexadecimal digits
    SQL <- a statement, run on both databases behind the servers' backs
    + the name of another section, whose calls come here

An expectation is a code, or between slashes a regular expression that is found in the answer, on one line; both servers
must keep it. Beside, `Comparison` wants the same answers, rows and times of both; times of one call's rows begin with
1001 and grow by one with each write.
"""

import re
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from tests.differential.comparison import Comparison, text, told
from tests.differential.conftest import Pairs
from tests.differential.source import Call
from tests.reference.client import Answer

pytestmark = pytest.mark.reference

FILE = Path(__file__).resolve().parents[1] / "data" / "contract_sentences.txt"
TITLE = re.compile(r"(?P<contract>write|read|kubeflow) [\d.]+(?P<only> on sqlite)?: .+")


def _sections() -> dict[str, list[str]]:
    """Return the lines of each section by its title."""
    sections: dict[str, list[str]] = {}
    for section in FILE.read_text(encoding="utf-8").removeprefix("== ").split("\n== "):
        title, *lines = section.strip().splitlines()
        assert title not in sections, title
        sections[title] = lines
    return sections


SECTIONS = _sections()
SENTENCES = [title for title in SECTIONS if TITLE.fullmatch(title)]


def _lines(title: str) -> list[str]:
    """Return the lines of a section, those of the sections that it names in their places."""
    lines = []
    for line in SECTIONS[title]:
        lines += _lines(line.removeprefix("+ ")) if line.startswith("+ ") else [line]
    return lines


def _request(method: str, words: str) -> Any:
    made = getattr(service, f"{method}Request")()
    if words.startswith("bytes "):
        made.ParseFromString(bytes.fromhex(words.removeprefix("bytes ")))
        return made
    return text_format.Parse(words, made)


def _check(call: Call, answer: Answer, expected: str) -> None:
    if not expected.startswith("/"):
        assert answer.code is Code[expected], (told(call), answer.code, answer.message)
        return
    assert answer.code is Code.OK, (told(call), answer.code, answer.message)
    assert re.search(expected[1:-1], text(answer.response)), (told(call), expected, text(answer.response))


def _drive(comparison: Comparison, title: str) -> None:
    for line in [*_lines("setup"), *_lines(title)]:
        head, _, words = (part.strip() for part in line.partition("<-"))
        if head == "SQL":
            for side in (comparison.ours, comparison.google):
                side.database.rows(words)
            continue
        method, expected = head.split(" ", 1)
        call = Call(method, _request(method, words))
        for answer in comparison.one(call):
            _check(call, answer, expected)


def test_sentences_are_of_every_contract() -> None:
    contracts = {match["contract"] for title in SENTENCES if (match := TITLE.fullmatch(title))}
    assert contracts == {"write", "read", "kubeflow"}
    assert len(SENTENCES) > 140


@pytest.mark.parametrize("title", SENTENCES)
def test_a_sentence_on_sqlite(sqlite_pairs: Pairs, title: str) -> None:
    with sqlite_pairs() as comparison:
        _drive(comparison, title)


@pytest.mark.parametrize("title", [title for title in SENTENCES if " on sqlite: " not in title])
def test_a_sentence_on_mariadb(utf8_pairs: Pairs, title: str) -> None:
    with utf8_pairs() as comparison:
        _drive(comparison, title)
