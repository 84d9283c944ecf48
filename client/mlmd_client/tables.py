"""Rows with named columns: what every question is answered with. Text, HTML and pandas are views of it."""

import datetime
import html
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from mlmd_client.terminal_text import harmless, in_columns

_WIDEST = 48
_MOST_SHOWN = 50
_EMPTY = "(no rows)"
_STYLE = "border-collapse:collapse;font-variant-numeric:tabular-nums"
_CELL = "padding:2px 10px 2px 0;text-align:left;border-bottom:1px solid #8884"


class Table:
    """Rows by column name; a column that a row lacks is None.

    >>> table = Table(["name", "auc"], [{"name": "churn@3", "auc": 0.91}, {"name": "churn@4", "auc": 0.93}])
    >>> print(table)
    name     auc
    churn@3  0.91
    churn@4  0.93
    >>> table.column("auc"), len(table), table[0]["name"]
    ([0.91, 0.93], 2, 'churn@3')
    """

    def __init__(self, columns: Iterable[str], rows: Iterable[Mapping[str, Any]], title: str = "") -> None:
        self.columns = list(columns)
        self.rows = [dict(row) for row in rows]
        self.title = title

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Go through the rows; each is a dict by columns."""
        return iter(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The row at a place, from 0; raises IndexError beyond the last."""
        return self.rows[index]

    def column(self, name: str) -> list[Any]:
        """Return the values of a column; raises KeyError, with the columns that there are.

        >>> Table(["a"], [{"a": 1}]).column("b")
        Traceback (most recent call last):
          ...
        KeyError: "there is no column 'b'; there are a"
        """
        if name not in self.columns:
            raise KeyError(f"there is no column {name!r}; there are {', '.join(self.columns)}")
        return [row.get(name) for row in self.rows]

    def where(self, test: Callable[[dict[str, Any]], bool] | None = None, **equal: Any) -> "Table":
        """Return the rows that pass a test and have these values.

        >>> table = Table(["name", "auc"], [{"name": "a", "auc": 0.9}, {"name": "b", "auc": 0.8}])
        >>> len(table.where(name="a")), len(table.where(lambda row: row["auc"] > 0.5))
        (1, 2)
        """
        chosen = [
            row
            for row in self.rows
            if all(row.get(name) == value for name, value in equal.items()) and (test is None or test(row))
        ]
        return Table(self.columns, chosen, self.title)

    def df(self) -> Any:
        """Return it as a pandas DataFrame; raises ModuleNotFoundError with the line that installs pandas.

        >>> Table(["a"], [{"a": 1}, {"a": 2}]).df()["a"].sum()
        np.int64(3)
        """
        return load_pandas().DataFrame(
            [[row.get(name) for name in self.columns] for row in self.rows], columns=self.columns
        )

    def __str__(self) -> str:
        """The rows in columns of plain text, long tables and long cells cut."""
        rows = ([shown(row.get(name)) for name in self.columns] for row in self.rows[:_MOST_SHOWN])
        lines = in_columns([[_cut(cell) for cell in row] for row in (map(harmless, self.columns), *rows)])
        if len(self.rows) > _MOST_SHOWN:
            lines.append(f"… and {len(self.rows) - _MOST_SHOWN} more rows")
        if not self.rows:
            lines.append(_EMPTY)
        return "\n".join(filter(None, lines))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.html()

    def html(self) -> str:
        """Return it as an HTML table without scripts.

        >>> "<td" in Table(["a"], [{"a": "<b>"}]).html(), "<b>" in Table(["a"], [{"a": "<b>"}]).html()
        (True, False)
        """
        head = "".join(f'<th style="{_CELL}">{html.escape(name)}</th>' for name in self.columns)
        body = "".join(
            "<tr>"
            + "".join(f'<td style="{_CELL}">{html.escape(shown(row.get(name)))}</td>' for name in self.columns)
            + "</tr>"
            for row in self.rows[:_MOST_SHOWN]
        )
        caption = f"<caption>{html.escape(self.title)}</caption>" if self.title else ""
        more = f"<p>… and {len(self.rows) - _MOST_SHOWN} more rows</p>" if len(self.rows) > _MOST_SHOWN else ""
        more = more if self.rows else f"<p>{_EMPTY}</p>"
        return f'<table style="{_STYLE}">{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}'


def table_of(rows: Sequence[Mapping[str, Any]], title: str = "") -> Table:
    """Return a table of rows whose columns are those that occur, in the order in which they do.

    >>> table_of([{"a": 1}, {"b": 2}]).columns
    ['a', 'b']
    """
    return Table(dict.fromkeys(name for row in rows for name in row), rows, title)


def shown(value: Any) -> str:
    """Return a value as a person reads it, without what would be a command to a terminal.

    >>> shown(None), shown(0.123456789), shown(3), shown(float("nan"))
    ('', '0.123457', '3', 'NaN')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else f"{value:.6g}"
    if isinstance(value, datetime.datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value))
    return harmless(str(value))


def _cut(text: str) -> str:
    line = text.replace("\n", " ")
    return line if len(line) <= _WIDEST else line[: _WIDEST - 1] + "…"


def moment(milliseconds: int) -> datetime.datetime | None:
    """Return a time of the store as a datetime in UTC, None for 0.

    >>> moment(0) is None, moment(1_767_225_600_000).isoformat()
    (True, '2026-01-01T00:00:00+00:00')
    """
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC) if milliseconds else None


def load_pandas() -> Any:
    """Return pandas, which is loaded now; raises ModuleNotFoundError with the line that installs it.

    >>> load_pandas().__name__
    'pandas'
    """
    try:
        import pandas as found
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("df() needs pandas; run: pip install 'mlmd-server[pandas]'", name="pandas") from error
    return found
