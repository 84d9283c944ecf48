"""What tells SQLite by which way not to look for rows; see dives.py. Other databases get plain joins and columns."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.operators import custom_op


class _After(sa.Join):
    """An inner join whose right side SQLite reads after its left side."""

    inherit_cache = True


@compiles(_After, "sqlite")
def _write(join: _After, compiler: SQLCompiler, **options: Any) -> str:
    options["asfrom"] = True
    options.pop("from_linter", None)
    left, right = (compiler.process(side, **options) for side in (join.left, join.right))
    assert join.onclause is not None
    return f"{left} CROSS JOIN {right} ON {compiler.process(join.onclause)}"


def joined_after(left: sa.FromClause, right: sa.FromClause, on: sa.ColumnElement[bool]) -> sa.FromClause:
    """Return SQLite's `left CROSS JOIN right`, which it does not reorder (https://sqlite.org/optoverview.html, 8.2)."""
    return _After(left, right, on)


def unindexed(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return SQLite's `+column`, for which it looks into no index (https://sqlite.org/optoverview.html, 8.1)."""
    return sa.sql.elements.UnaryExpression(column, operator=custom_op("+"), type_=column.type)
