"""One database transaction as a call's body sees it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from mlmd_schemas.caller import Caller

from mlmd_metadata_store.clock import now_ms
from mlmd_metadata_store.dialects import Dialect
from mlmd_metadata_store.plans import Plans
from mlmd_metadata_store.property_cache import NO_CACHE, PropertyCache
from mlmd_metadata_store.text import TextCodec
from mlmd_metadata_store.type_cache import TypeCache
from mlmd_metadata_store.ways import Ways

CHUNK = 5000
"""How many ids one IN list holds; SQLite takes 32,766 parameters, MySQL's range optimizer some 30,000 members."""
ROWS_PER_INSERT = 5000
"""How many rows one INSERT carries at most."""

T = TypeVar("T")


def chunks(items: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """Yield `items` in pieces of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


class Transaction:
    """Statements of one call; ends with the body that was given it.

    `careful` asks a body to work item by item in the request's order, so that the error it raises is the first one in
    that order; a body that worked set-wise on several items sets `setwise`, and when it fails the whole call is undone
    and run again carefully. So the common case costs few statements and an error is always the exact one.
    """

    __slots__ = (
        "_cursor",
        "_plans",
        "_watch",
        "caller",
        "careful",
        "dialect",
        "made_types",
        "properties",
        "setwise",
        "text",
        "topics",
        "types",
        "ways",
    )

    def __init__(
        self,
        cursor: Any,
        plans: Plans,
        dialect: Dialect,
        text: TextCodec,
        types: TypeCache,
        caller: Caller,
        *,
        careful: bool = False,
        watch: Callable[[str], None] | None = None,
        properties: PropertyCache = NO_CACHE,
        ways: Ways | None = None,
    ) -> None:
        """Take a driver's cursor on which a transaction has begun; whoever began it ends it.

        `text` says how texts are kept, and `watch` is called with each statement before it is sent.
        """
        self._cursor = cursor
        self._plans = plans
        self._watch = watch
        self.dialect = dialect
        self.text = text
        self.types = types
        self.caller = caller
        self.careful = careful
        self.properties = properties
        self.ways = Ways() if ways is None else ways
        self.setwise = False
        self.made_types = False
        """This transaction wrote types, which others must not see before it commits."""
        self.topics: set[str] = set()
        """What `Database.committed` is told of once this transaction is committed."""

    def _run(self, statement: str, parameters: Sequence[Any]) -> Any:
        """Run one statement on the driver; raises our error for its, and DeadlineExceeded when it is too late."""
        self._begin(statement)
        try:
            self._cursor.execute(statement, parameters)
        except self.dialect.driver_errors as error:
            raise self.dialect.translate(error) from error
        return self._cursor

    def _begin(self, *statements: str) -> None:
        self.caller.check_deadline()
        if self._watch is not None:
            for statement in statements:
                self._watch(statement)

    def agreed_ms(self) -> int:
        """Return the time, in milliseconds since the epoch, that every server of the database reads alike.

        It is the database's where servers on several machines share one: what one of them writes down as a moment to
        come, another judges, and their own clocks may be an hour apart.
        """
        clock = self.dialect.clock
        return now_ms() if clock is None else int(self.rows(clock)[0][0])

    def execute(self, statement: sa.Executable, parameters: Mapping[str, Any] | None = None) -> int:
        """Run a statement that returns no rows; return how many rows it touched."""
        return int(self._run(*self._plans.of(statement).render(parameters)).rowcount)

    def execute_timed(self, statement: sa.Executable, parameters: Mapping[str, Any] | None = None) -> int:
        """Run a statement that returns no rows; return what `agreed_ms` is after it, for no trip more."""
        clock = self.dialect.clock
        if clock is None or not self.dialect.joins_statements:
            self.execute(statement, parameters)
            return self.agreed_ms()
        rendered = [self._plans.of(statement).render(parameters), self._plans.of(clock).render(None)]
        _, ((now,),) = self._run_joined(rendered)
        return int(now)

    def rows(self, statement: sa.Executable, parameters: Mapping[str, Any] | None = None) -> Sequence[Any]:
        """Return all rows of a SELECT, as tuples of the driver's plain values."""
        cursor = self._run(*self._plans.of(statement).render(parameters))
        try:
            rows: Sequence[Any] = cursor.fetchall()
        except self.dialect.driver_errors as error:
            raise self.dialect.translate(error) from error
        return rows

    def row_chunks(
        self, statement: sa.Executable, parameters: Mapping[str, Any] | None, size: int
    ) -> Iterator[Sequence[Any]]:
        """Yield what `rows` returns in pieces of at most `size`; other statements may be run between."""
        text, values = self._plans.of(statement).render(parameters)
        self.send_held()
        self._begin(text)
        cursor = self.dialect.cursor(self._cursor.connection)
        try:
            cursor.execute(text, values)
            while rows := cursor.fetchmany(size):
                yield rows
        except self.dialect.driver_errors as error:
            raise self.dialect.translate(error) from error
        finally:
            cursor.close()

    def rows_in(
        self,
        statement: sa.Executable,
        ids: Iterable[int | str | bytes],
        name: str = "ids",
        **parameters: Any,
    ) -> list[Any]:
        """Return the rows of a SELECT whose expanding parameter `name` takes the distinct `ids`, chunk by chunk."""
        found: list[Any] = []
        for chunk in chunks(sorted(set(ids))):
            found += self.rows(statement, {name: chunk, **parameters})
        return found

    def rows_in_each(self, statements: Sequence[sa.Executable], ids: Iterable[int]) -> list[list[Any]]:
        """Return for each of several SELECTs what `rows_in` does; they go to the database at once where it takes them.

        They run one after the other, so that a later one sees what an earlier one waited for to lock.
        """
        if not self.dialect.joins_statements:
            wanted = set(ids)
            return [self.rows_in(statement, wanted) for statement in statements]
        found: list[list[Any]] = [[] for _ in statements]
        for chunk in chunks(sorted(set(ids))):
            rendered = [self._plans.of(statement).render({"ids": chunk}) for statement in statements]
            for rows, more in zip(found, self._run_joined(rendered), strict=True):
                rows += more
        return found

    def _run_joined(self, rendered: Sequence[tuple[str, Sequence[Any]]]) -> list[Sequence[Any]]:
        texts = [text for text, _ in rendered]
        self._begin(*texts)
        try:
            self._cursor.execute(";\n".join(texts), [value for _, values in rendered for value in values])
            found = [self._cursor.fetchall()]
            while self._cursor.nextset():
                found.append(self._cursor.fetchall())
        except self.dialect.driver_errors as error:
            raise self.dialect.translate(error) from error
        return found

    def execute_in(
        self, statement: sa.Executable, ids: Iterable[int] | Iterable[bytes], name: str = "ids", **parameters: Any
    ) -> int:
        """Run a DELETE or UPDATE whose expanding parameter `name` takes the distinct `ids`, chunk by chunk.

        Returns how many rows it touched.
        """
        distinct: list[Any] = sorted(set(ids))
        return sum(self.execute(statement, {name: chunk, **parameters}) for chunk in chunks(distinct))

    def insert(
        self, table: sa.Table, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, later: bool = False
    ) -> None:
        """Insert rows of plain values in few statements; raises UniqueViolation when a key is taken.

        With `later` they may wait for the next statement, if they are few and the database takes both at once: for rows
        of which the caller knows that no key is taken and no value is too long, as an error would be raised there.
        """
        self._many(self.dialect.insert(table, columns), rows, later=later)

    def insert_ignore(
        self, table: sa.Table, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, later: bool = False
    ) -> None:
        """Insert rows, passing over those whose unique key is taken; `later` as in `insert`."""
        self._many(self.dialect.insert_ignore(table, columns), rows, later=later)

    def upsert(
        self,
        table: sa.Table,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        keys: Sequence[str],
        *,
        later: bool = False,
    ) -> None:
        """Insert rows into a table whose only unique key is `keys`, replacing those there; `later` as in `insert`."""
        self._many(self.dialect.upsert(table, columns, keys), rows, later=later)

    def insert_ids(self, table: sa.Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[int]:
        """Insert rows into a table with an `id` that the database gives; return the ids in the order of the rows."""
        statement = self.dialect.insert(table, columns)
        ids: list[int] = []
        for chunk in chunks(rows, ROWS_PER_INSERT):
            self._many(statement, chunk)
            ids += self.dialect.ids(self._cursor, len(chunk))
        return ids

    def send_held(self) -> None:
        """Send what was to be inserted later and has met no other statement; to be called before a commit."""
        if self.dialect.joins_statements:
            try:
                self._cursor.send_held()
            except self.dialect.driver_errors as error:
                raise self.dialect.translate(error) from error

    def _many(self, statement: str, rows: Sequence[Sequence[Any]], *, later: bool = False) -> None:
        """Insert rows; several at once go to the driver's executemany."""
        if later and self._holds(statement, rows):
            self._begin(statement)
            return
        for chunk in chunks(rows, ROWS_PER_INSERT):
            if len(chunk) == 1:
                self._run(statement, tuple(chunk[0]))
            else:
                self._run_many(statement, chunk)

    def _holds(self, statement: str, rows: Sequence[Sequence[Any]]) -> bool:
        """Let rows wait for the next statement; False when they are too many, or an error must be that of its item."""
        dialect = self.dialect
        if not dialect.joins_statements or self.careful or len(rows) > dialect.few_rows:
            return False
        return bool(self._cursor.hold(statement, rows))

    def _run_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        self._begin(statement)
        try:
            self._cursor.executemany(statement, rows)
        except self.dialect.driver_errors as error:
            raise self.dialect.translate(error) from error
