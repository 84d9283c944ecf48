"""`filter_query`: conditions on nodes, their types, properties and neighbours (docs/filter.md).

    query = parse_filter(Kind.ARTIFACT, "state = LIVE AND contexts_a.name = 'run-7'")
    compiled = compile_filter(query, "sqlite", str)
    with running():
        rows = tx.rows(compiled.form.select(node.c.id).order_by(node.c.id).limit(100), compiled.values)

Keep statements by form: filters that differ in their literals only share it.

Text goes through tokens, parser (syntax), check (terms), compile (SQLAlchemy).
"""

from mlmd_metadata_store.filter.compile import NOTHING, Compiled, Form, compile_demand, compile_filter
from mlmd_metadata_store.filter.failures import running
from mlmd_metadata_store.filter.query import Filter, parse_filter

__all__ = [
    "NOTHING",
    "Compiled",
    "Filter",
    "Form",
    "compile_demand",
    "compile_filter",
    "parse_filter",
    "running",
]
