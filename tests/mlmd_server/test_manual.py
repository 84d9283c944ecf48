"""The manual says what the program does."""

from pathlib import Path

from mlmd_server.manual import BEGIN, END, options_table

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_table_of_options_is_todays() -> None:
    _, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    table, end, _ = rest.partition(END)
    assert end
    assert table.strip() == options_table(), "run `python -m mlmd_server.manual` and paste"
