"""Rows inserted in blocks are the rows inserted one by one, and our LIKE is SQLite's, but for NULs."""

import contextlib
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlmd_metadata_store.sqlite_driver import BLOCKS, BlockCursor, like

INSERT = "INSERT INTO `t` (`name`, `value`) VALUES (?, ?)"
ROWS = st.lists(st.tuples(st.text(max_size=2), st.none() | st.integers(-9, 9)), max_size=3 * BLOCKS[0])


def made(kind: type[sqlite3.Cursor], statement: str, rows: list[tuple[str, int | None]]) -> object:
    """Return what a table holds after these rows, and the last id."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, value INT, UNIQUE (name))")
    connection.execute("BEGIN")
    try:
        connection.cursor(kind).executemany(statement, rows)
    except sqlite3.IntegrityError as error:
        connection.execute("ROLLBACK")
        return error.sqlite_errorcode
    last = connection.execute("SELECT last_insert_rowid()").fetchone()
    return connection.execute("SELECT * FROM t ORDER BY id").fetchall(), last


@given(
    ROWS,
    st.sampled_from(["", " ON CONFLICT DO NOTHING", " ON CONFLICT (`name`) DO UPDATE SET `value`=excluded.`value`"]),
)
def test_blocks_make_the_same_table(rows: list[tuple[str, int | None]], end: str) -> None:
    assert made(BlockCursor, INSERT + end, rows) == made(sqlite3.Cursor, INSERT + end, rows)


@pytest.mark.parametrize("count", [1, 63, 64, 65, 5000])
def test_every_number_of_rows(count: int) -> None:
    rows: list[tuple[str, int | None]] = [(str(number), number) for number in range(count)]
    assert made(BlockCursor, INSERT, rows) == made(sqlite3.Cursor, INSERT, rows)


def test_only_an_insert_of_placeholders_is_repeated() -> None:
    cursor = sqlite3.connect(":memory:").cursor(BlockCursor)
    for statement in ("DELETE FROM t WHERE id = ?", "INSERT INTO t (a, b) VALUES (?, 1)"):
        with pytest.raises(ValueError, match="not an INSERT"):
            cursor.executemany(statement, [(1,)])


TEXTS = st.text("aAbé_%ÉK\u212a", max_size=8)


def ours(text: str, pattern: str) -> bool | None:
    return like(text.encode(), pattern.encode())


@given(TEXTS, TEXTS)
def test_our_like_is_that_of_sqlite(text: str, pattern: str) -> None:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        assert ours(text, pattern) is bool(connection.execute("SELECT ? LIKE ?", (text, pattern)).fetchone()[0])


@given(TEXTS, TEXTS)
def test_a_nul_is_like_any_other_character(text: str, pattern: str) -> None:
    assert ours(text.replace("b", "\0"), pattern.replace("b", "\0")) is ours(text, pattern)


def test_null_is_like_nothing() -> None:
    assert like(None, b"\0") is like(b"\0", None) is None


def test_bytes_that_are_no_utf_8_are_a_character_each() -> None:
    assert like(b"\xff\x00\xc3", b"_\x00_")
    assert like(b"\xff\x00\xc3", b"%\xc3")
    assert not like(b"\xff\x00\xc3", b"_\x00\xff")
