"""What the commands of one invocation share: the store, and how to say things."""

import json
import logging
import math
import re
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property, partial, wraps
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from mlmd_client.calls import CallError
from mlmd_client.command_line.statuses import FAILED, INTERRUPTED, REFUSED, WRONG_USE, status_of
from mlmd_client.command_line.wording import as_typed, not_utf8, of_system
from mlmd_client.failures import not_found
from mlmd_client.file_doors import bound_memory
from mlmd_client.places import address_of, database_file
from mlmd_client.tables import Table, shown
from mlmd_client.terminal_text import harmless, in_columns
from mlmd_client.terminal_text import width as width_of
from mlmd_client.transport import MissingExtra

if TYPE_CHECKING:
    from rich.console import Console

    from mlmd_client.service import Service
    from mlmd_client.store import Store


class _Closable(Protocol):
    def close(self) -> None: ...


_Closed = TypeVar("_Closed", bound=_Closable)
_READABLE = 8
"""Characters of a column below which its words are cut to pieces."""


class Session:
    """One invocation of `mlmd`."""

    def __init__(self, server: str | None, token: str, as_json: bool) -> None:
        """Take the store's target, None for that of MLMD_SERVER or ./mlmd-data; nothing is opened yet."""
        self._server, self._token = server, token
        self.as_json = as_json
        self.makes_store = False
        """Whether the command may make a store of this process that is not there yet."""
        self.once_more = ""
        """What the same command does after an interrupt, where that is more than to begin anew; it follows a word."""

    @cached_property
    def console(self) -> "Console":
        """Standard output: results alone."""
        from mlmd_client.command_line.output import Output  # as what draws is, slow to import

        return Output()

    @cached_property
    def asides(self) -> "Console":
        """Standard error: progress and remarks."""
        from mlmd_client.command_line.output import Stream

        return Stream(stderr=True)

    @property
    def address(self) -> str:
        """Where the store is, as another process would write it; nothing is opened."""
        return address_of(self._server or None)

    @cached_property
    def store(self) -> "Store":
        """The store, opened when the first command needs it."""
        from mlmd_client.store import Store

        store = self._opened(lambda: Store(self._server, token=self._token))
        bound_memory(store.service.transport)
        return store

    @cached_property
    def service(self) -> "Service":
        """The calls of the store alone: unlike `store`, it sends nothing that was left behind by being opened."""
        from mlmd_client.service import Service
        from mlmd_client.tokens import Token
        from mlmd_client.transport import open_transport

        transport = self._opened(lambda: open_transport(self._server or None, token=Token.chosen(self._token)))
        bound_memory(transport)
        return Service(transport)

    def _opened(self, opening: Callable[[], _Closed]) -> _Closed:
        """Open what the command needs, until the command ends; raises CallError that speaks of `--server`."""
        context = click.get_current_context()
        if not self.makes_store:
            self._require_store()
        try:
            opened = opening()
        except CallError as error:  # which tells of the target of a store, or of its database
            error.message = re.sub(r"^(?:target|database): ", "server: ", error.message)
            raise
        context.call_on_close(partial(self._closed, opened))
        return opened

    def _closed(self, opened: _Closable) -> None:
        """Close a store; what it sends by then may be waited for, and broken off."""
        try:
            opened.close()
        except KeyboardInterrupt:
            raise Interrupted(self) from None

    def _require_store(self) -> None:
        """Raise NotFound where opening would make an empty store in a folder that was misspelt."""
        file = database_file(self._server)
        if file is not None and not file.is_file():
            raise not_found(
                f"server: there is no store in {str(file.parent)!r}; go to the folder that has it, or name it with "
                "--server or MLMD_SERVER (grpc://host:port); `mlmd put` makes a new one."
            )

    def say(self, answer: Any, text: Callable[[], None] | None = None) -> None:
        """Print an answer: as JSON when that was asked for, else by `text`, or as the table that it is."""
        if self.as_json:
            click.echo(_json(plain(answer)))
        elif text is not None:
            text()
        elif isinstance(answer, Table):
            self.table(answer)
        else:
            self.facts(answer)

    def table(self, table: Table, title: str = "") -> None:
        """Print rows; columns that are empty throughout are left out."""
        if title or table.title:
            self._heading(title or table.title)
        columns = [name for name in table.columns if any(shown(row.get(name)) for row in table.rows)]
        if not table.rows:
            self.asides.print("nothing was found")
        elif not self.console.is_terminal:
            click.echo(_aligned(columns, table))
        elif _is_crowded(columns, table, self.console.width):
            for row in table.rows:
                self.facts({name: row.get(name) for name in columns})
                self.console.print()
        else:
            self._draw(columns, table)

    def _heading(self, title: str) -> None:
        from rich.text import Text

        self.console.print(Text(harmless(title), style="bold"))

    def _draw(self, columns: list[str], table: Table) -> None:
        from rich.table import Table as Drawn
        from rich.text import Text

        drawn = Drawn(box=None, header_style="bold", pad_edge=False)
        for name in columns:
            drawn.add_column(
                Text(harmless(name)), overflow="fold", justify="right" if _is_numeric(table, name) else "left"
            )
        for row in table.rows:
            drawn.add_row(*(Text(shown(row.get(name))) for name in columns))
        self.console.print(drawn)

    def facts(self, facts: Mapping[str, Any], title: str = "") -> None:
        """Print names and values, one a line."""
        from rich.text import Text

        if title:
            self._heading(title)
        kept = {harmless(name): shown(value) for name, value in facts.items() if value not in (None, "", [], {})}
        width = max(map(width_of, kept), default=0)
        for name, value in kept.items():
            self.console.print(Text(name + " " * (width - width_of(name) + 2), style="dim") + Text(value))

    def sentence(self, sentence: str) -> None:
        """Print a sentence that is the result, or part of it."""
        from rich.text import Text

        self.console.print(Text(harmless(sentence)))

    def remark(self, sentence: str) -> None:
        """Say something beside the result."""
        from rich.text import Text

        self.asides.print(Text(harmless(sentence), style="dim"))


def show_warnings(context: click.Context) -> None:
    """Let what the client warns of be lines on standard error, until the command ends."""
    logger, handler = logging.getLogger("mlmd"), _Asides(logging.WARNING)
    logger.addHandler(handler)
    context.call_on_close(lambda: logger.removeHandler(handler))


class _Asides(logging.Handler):
    """What the client warns of, as a line of the command on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print it, over a bar that stands there."""
        over = "\r\x1b[K" if sys.stderr.isatty() else ""
        click.echo(f"{over}mlmd: {harmless(record.getMessage())}", file=sys.stderr)


def _is_numeric(table: Table, name: str) -> bool:
    values = [row.get(name) for row in table.rows if row.get(name) is not None]
    return bool(values) and all(isinstance(value, int | float) for value in values)


def _is_crowded(columns: list[str], table: Table, width: int) -> bool:
    """Tell whether columns side by side would be so narrow on a terminal that nobody could read down them."""
    least = (max(width_of(shown(value)) for value in (name, *table.column(name))) for name in columns)
    return sum(min(each, _READABLE) + 2 for each in least) - 2 > width


def _aligned(columns: list[str], table: Table) -> str:
    cells = [
        list(map(harmless, columns)),
        *([shown(row.get(name)).replace("\n", " ") for name in columns] for row in table.rows),
    ]
    return "\n".join(in_columns(cells))


class Count(click.IntRange):
    """A number from 0 on."""

    name = "number"

    def __init__(self) -> None:
        super().__init__(min=0)


def plain(value: Any) -> Any:
    """Return a value as JSON can carry it: times as RFC 3339, NaN and infinities as proto3 JSON's strings.

    >>> plain({"auc": float("nan"), "n": 3})
    {'auc': 'NaN', 'n': 3}
    """
    if isinstance(value, Table):
        return [{name: plain(row.get(name)) for name in value.columns} for row in value.rows]
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def _json(answer: Any) -> str:
    """Return JSON in letters that standard output can have: those of a locale may be few, and a path's bytes none."""
    text = json.dumps(answer, ensure_ascii=False, indent=2, allow_nan=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(answer, indent=2, allow_nan=False)
    return text


def making(function: Callable[..., None]) -> Callable[..., None]:
    """Let a command make a store of this process that is not there yet: it writes, or tries whether it could."""

    @wraps(function)
    def run(session: Session, /, **arguments: Any) -> None:
        session.makes_store = True
        function(session, **arguments)

    return run


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command its session and `--json`, and turn failures into a sentence and an exit status."""

    @click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
    @click.pass_context
    @wraps(function)
    def run(context: click.Context, /, as_json: bool, **arguments: Any) -> None:
        session: Session = context.obj
        session.as_json = session.as_json or as_json
        try:
            function(session, **arguments)
        except CallError as error:
            raise Failure(as_typed(error.message, context), status_of(error)) from error
        except MissingExtra as error:
            raise Failure(str(error), WRONG_USE) from error
        except UnicodeEncodeError as error:
            raise Failure(not_utf8(context), REFUSED) from error
        except BrokenPipeError:
            sys.stderr.close()
            sys.exit(0)
        except OSError as error:
            raise Failure(of_system(error), FAILED) from error

    return run


class Failure(click.ClickException):
    """A sentence on standard error and an exit status."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        vars(self)["exit_code"] = status  # click declares it of the class

    def show(self, file: Any = None) -> None:
        """Print the sentence."""
        click.echo(f"mlmd: {self.message}", file=sys.stderr)


class Interrupted(Failure):
    """Ctrl-C."""

    def __init__(self, session: Session | None) -> None:
        super().__init__(f"interrupted{session.once_more if session else ''}", INTERRUPTED)
