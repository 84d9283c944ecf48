"""The metrics of two runs of a step, beside each other: of what they made, and what they logged themselves."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

from mlmd_metadata_store.event_reads import event_rows, event_steps
from mlmd_metadata_store.metric_comparisons import compare
from mlmd_metadata_store.metric_owners import MOST_OWNERS, Owner
from mlmd_metadata_store.node_rows import READERS
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.pb.v1 import lineage_pb2 as v1
from mlmd_schemas.pb.v1 import metrics_pb2
from mlmd_schemas.tables.v10 import Kind

from mlmd_lineage.ends import OUTPUTS, Ref
from mlmd_lineage.executions import ref_message
from mlmd_lineage.plain_values import clean

Pair = tuple[int, int]
_TYPE_ID = 1


def metric_differences(tx: Transaction, pairs: Collection[Pair]) -> dict[Pair, list[v1.LineageDifference]]:
    """Return, for each two executions, the metrics that differ; numbers among properties of artifacts count.

    The number of statements does not depend on the number of pairs.
    """
    made = _outputs(tx, {execution_id for pair in pairs for execution_id in pair})
    owners: dict[Owner, Pair] = {}
    matched: list[tuple[Pair, str, Owner, Owner]] = []
    for pair in pairs:
        for key, before, after in _matched(made, pair):
            if before != after:
                matched.append((pair, key, before, after))
                owners |= {before: pair, after: pair}
    figures = _figures(tx, list(owners)[:MOST_OWNERS])
    found: dict[Pair, list[v1.LineageDifference]] = defaultdict(list)
    for pair, key, before, after in matched:
        found[pair] += _differences(key, before, after, figures)
    return found


def _outputs(tx: Transaction, execution_ids: Collection[int]) -> dict[int, dict[str, int]]:
    """Return, by execution and key, what it made; what has no key goes by its type."""
    rows = event_rows(tx, "execution", execution_ids, OUTPUTS)
    keys = event_steps(tx, [row[0] for row in rows])
    types = {row[0]: row[_TYPE_ID] for row in tx.rows_in(READERS[Kind.ARTIFACT].by_id, {row[1] for row in rows})}
    names = tx.types.get_many(tx, Kind.ARTIFACT, types.values())
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for event_id, artifact_id, execution_id, *_ in rows:
        if artifact_id in types:  # else it is gone
            facts = names.get(types[artifact_id])
            key = "/".join(clean(step) for step in keys.get(event_id, ())) or (clean(facts.name) if facts else "")
            found[execution_id].setdefault(key, artifact_id)
    return found


def _matched(made: dict[int, dict[str, int]], pair: Pair) -> Iterator[tuple[str, Owner, Owner]]:
    yield "", Owner(Kind.EXECUTION, pair[0]), Owner(Kind.EXECUTION, pair[1])
    before, after = (made.get(execution_id, {}) for execution_id in pair)
    for key in sorted(before.keys() & after.keys()):
        yield key, Owner(Kind.ARTIFACT, before[key]), Owner(Kind.ARTIFACT, after[key])


def _figures(tx: Transaction, owners: list[Owner]) -> dict[Owner, dict[tuple[str, str, str], float]]:
    """Return, by owner, its figures by name, slice and figure; numbers of executions are parameters and left out."""
    found: dict[Owner, dict[tuple[str, str, str], float]] = defaultdict(dict)
    if not owners:
        return found
    table = compare(tx, metrics_pb2.CompareRequest(owners=[owner.message() for owner in owners]))
    for row in table.figures:
        for owner, number, is_there in zip(owners, row.values, row.present, strict=True):
            if is_there and not (owner.kind is Kind.EXECUTION and row.source == metrics_pb2.FIGURE_SOURCE_SCALAR):
                found[owner][row.name, row.slice, row.figure] = number
    return found


def _differences(key: str, before: Owner, after: Owner, figures: Any) -> Iterator[v1.LineageDifference]:
    one, other = figures.get(before, {}), figures.get(after, {})
    for name in sorted(one.keys() | other.keys()):
        numbers = [side.get(name) for side in (one, other)]
        if numbers[0] == numbers[1] or all(number is not None and number != number for number in numbers):
            continue
        values = [v1.LineageValue(double_value=number) if number is not None else None for number in numbers]
        yield v1.LineageDifference(
            aspect=v1.LINEAGE_ASPECT_METRIC,
            name=_written(key, *name),
            first=values[0],
            second=values[1],
            first_node=ref_message(Ref(before.kind, before.id)),
            second_node=ref_message(Ref(after.kind, after.id)),
        )


def _written(key: str, metric: str, slice_name: str, figure: str) -> str:
    """Return a metric as people write it: `accuracy`, `loss [country=DE]`, `cls: auc`."""
    name = metric or key
    if figure:
        name = f"{name}: {figure}" if name else figure
    return f"{name} [{slice_name}]" if slice_name else name
