"""The worked examples of docs/client.md give what they say."""

import doctest
from pathlib import Path

import pytest
from mlmd_client import Store, current_run

pandas = pytest.importorskip("pandas")

PAGE = Path(__file__).parents[3] / "docs" / "client.md"


def test_worked_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    given = {"pandas": pandas, "current_run": current_run}
    examples = doctest.DocTestParser().get_doctest(text, given, PAGE.name, str(PAGE), 0)
    said: list[str] = []
    result = doctest.DocTestRunner().run(examples, out=said.append, clear_globs=False)
    for store in [thing for thing in examples.globs.values() if isinstance(thing, Store)]:
        store.close()  # or it would keep house in a folder that is gone
    assert result.attempted > 15
    assert not result.failed, "".join(said)
