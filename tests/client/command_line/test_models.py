"""The registry from the terminal: register, promote, look back, take back, fetch."""

from pathlib import Path

from tests.client.command_line.conftest import Run


def test_a_model_from_its_file_to_production_and_back(run: Run, tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / "model.bin").write_bytes(bytes([number]) * 1000)
        assert run("put", "model.bin", "fraud-model", "--type", "model").status == 0
        registered = run("models", "register", "fraud", f"fraud-model@{number}", "--format", "onnx:1", "--json").json
        assert (registered["number"], registered["format"]) == (number, "onnx 1")
    assert [row["number"] for row in run("models", "ls", "fraud", "--json").json] == [2, 1]
    first = run("models", "promote", "fraud", "champion", "1", "-m", "first", "--json").json
    assert (first["from"], first["to"], first["reason"]) == (None, 1, "first")
    run("models", "promote", "fraud", "champion", "2", "--expect", "1")
    lost = run("models", "promote", "fraud", "champion", "1", "--expect", "1")
    assert (lost.status, lost.out) == (6, "")
    assert run("models", "ls", "--json").json[0]["aliases"] == "champion@2"
    back = run("models", "rollback", "fraud", "champion", "-m", "slow", "--json").json
    assert (back["to"], back["rolls_back"]) == (1, 2)
    history = run("models", "history", "fraud", "--json").json
    assert [(move["sequence"], move["to"]) for move in history] == [(3, 1), (2, 2), (1, 1)]
    resolved = run("models", "resolve", "models:/fraud@champion", "--json").json
    assert (resolved["number"], resolved["files"], resolved["bytes"]) == (1, 1, 1000)
    got = run("get", "models:/fraud@champion", "served", "--layout", "tf-serving", "--json").json
    assert (got["number"], (tmp_path / "served" / "1" / "model.bin").read_bytes()) == (1, b"\x01" * 1000)
    assert run("models", "card", "fraud", "@champion").out.startswith("#")
    assert run("models", "deployments", "--json").json == []
    assert run("models", "check", "fraud", "champion", "2").status == 0


def test_what_is_not_there(run: Run) -> None:
    for arguments in (("ls", "nothing"), ("resolve", "models:/nothing@champion"), ("history", "nothing")):
        said = run("models", *arguments)
        assert (said.status, said.out) == (3, "")
        assert "nothing" in said.err
