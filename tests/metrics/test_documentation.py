"""The worked examples of docs/metrics.md give what they say."""

import doctest
from pathlib import Path

import pytest

pytest.importorskip("numpy")

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_worked_examples() -> None:
    examples = doctest.DocTestParser().get_doctest(PAGE.read_text(encoding="utf-8"), {}, PAGE.name, str(PAGE), 0)
    said: list[str] = []
    result = doctest.DocTestRunner().run(examples, out=said.append)
    assert result.attempted > 25
    assert not result.failed, "".join(said)
