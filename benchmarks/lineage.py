"""`make bench-lineage`: a walk of 2,000 nodes in 10 hops out of graphs from 10^3 to 10^6 edges, beside one by hand.

Usage: `python -m benchmarks.lineage [--edges 1000,10000,100000,1000000] [--rounds 7] [--databases sqlite,mysql]`.

Both sides walk upstream from the newest artifact of one database, alternating. The floor is a walk by hand on the bare
driver: a statement a hop for the events, then one for each kind of node, then, for every property, one more; its answer
is plain tuples and dictionaries, and it validates nothing. Ours is the whole call, `GetProvenance` with the graph alone
on a store in this process, answered and serialized as it leaves the server. Milliseconds are the best of each side over
the rounds, because other work on the machine only ever adds to them, and the ratio is of these. Beside it are the
median over the rounds of the ratios of neighbours, and the ratio of the CPU of this process (on SQLite: of all).
"""

import argparse
import contextlib
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlmd_lineage.provenance import get_provenance
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.pb.v1 import lineage_pb2 as v1

from benchmarks.metadata import configurations
from tests.lineage.generated import Generated, generated, write

MOST_TIMES_THE_FLOOR = 4.0
NODES, HOPS, PROPERTIES = 2_000, 10, 3
DETAILS = {"ids, types and names": v1.LINEAGE_DETAIL_NAMES, "every property": v1.LINEAGE_DETAIL_PROPERTIES}
INPUT, OUTPUT = 3, 4
"""`Event.Type` of the graph's events."""


class Floor:
    """A walk by hand on the bare driver."""

    def __init__(self, config: dict[str, Any]) -> None:
        if "sqlite" in config:
            self.db: Any = sqlite3.connect(config["sqlite"], isolation_level=None)
        else:
            import MySQLdb

            login = dict(config["mysql"])
            login["db"], login["passwd"] = login.pop("database"), login.pop("password")
            self.db = MySQLdb.connect(**login, charset="utf8mb4")
        self.cursor = self.db.cursor()

    def ask(self, statement: str) -> list[Any]:
        """Return the rows of a statement."""
        self.cursor.execute(statement)
        return list(self.cursor.fetchall())

    def walk(self, start: int, properties: bool) -> tuple[dict[Any, Any], list[Any]]:
        """Return what is known of each node, and the events between them."""
        self.cursor.execute("BEGIN")
        seen: dict[str, list[int]] = {"artifact": [start], "execution": []}
        known = {"artifact": {start}, "execution": set()}
        frontier, near, far, count = [start], "artifact", "execution", 1
        events: list[Any] = []
        for _ in range(HOPS):
            kind = OUTPUT if near == "artifact" else INPUT
            rows = self.ask(
                f"SELECT id, artifact_id, execution_id, type FROM Event WHERE {near}_id IN ({_listed(frontier)}) "
                f"AND type = {kind}"
            )
            column = 1 if far == "artifact" else 2
            frontier = sorted({row[column] for row in rows} - known[far])[: NODES - count]
            known[far].update(frontier)
            seen[far] += frontier
            count += len(frontier)
            events += [row for row in rows if row[column] in known[far]]
            near, far = far, near
            if not frontier:
                break
        nodes = self._read(seen, properties)
        self.cursor.execute("ROLLBACK")
        return nodes, events

    def _read(self, seen: dict[str, list[int]], properties: bool) -> dict[Any, Any]:
        types = dict(self.ask("SELECT id, name FROM Type"))
        nodes: dict[Any, Any] = {}
        for kind, ids in seen.items():
            table, among = kind.capitalize(), _listed(ids)
            for node_id, type_id, name in self.ask(f"SELECT id, type_id, name FROM {table} WHERE id IN ({among})"):
                nodes[kind, node_id] = (types[type_id], name, {})
            if properties:
                columns = "int_value, double_value, string_value, proto_value, bool_value"
                for node_id, name, *values in self.ask(
                    f"SELECT {kind}_id, name, {columns} FROM {table}Property WHERE {kind}_id IN ({among})"
                ):
                    nodes[kind, node_id][2][name] = next(value for value in values if value is not None)
        return nodes

    def close(self) -> None:
        """Close the connection."""
        self.db.close()


def _listed(ids: list[int]) -> str:
    return ",".join(map(str, ids)) or "NULL"


def ours(store: Store, start: int, detail: Any) -> v1.GetProvenanceResponse:
    """Ask as a caller does and return the answer."""
    options = v1.LineageOptions(max_hops=HOPS, detail=detail)
    request = v1.GetProvenanceRequest(
        node=v1.LineageRef(artifact_id=start), options=options, page_size=NODES, graph_only=True
    )
    answer = store.database.read(LOCAL, lambda tx: get_provenance(tx, request))
    answer.SerializeToString()
    return answer


def _start(floor: Floor, graph: Generated) -> int:
    """Return the newest artifact that as many nodes as wanted lie behind; the newest one where the graph has none."""
    newest = range(graph.artifacts, max(0, graph.artifacts - 100), -1)
    return next((start for start in newest if len(floor.walk(start, False)[0]) == NODES), graph.artifacts)


def measure(store: Store, floor: Floor, graph: Generated, rounds: int) -> None:
    """Print one row for each detail."""
    start = _start(floor, graph)
    for name, detail in DETAILS.items():
        with_properties = name == "every property"

        def by_hand(wanted: bool = with_properties) -> Any:
            return floor.walk(start, wanted)

        def by_store(wanted: Any = detail) -> Any:
            return ours(store, start, wanted)

        _compare_answers(by_store(), by_hand())
        times: dict[str, list[float]] = {"ours": [], "floor": []}
        busy: dict[str, list[float]] = {"ours": [], "floor": []}
        for _ in range(rounds):
            for side, run in (("ours", by_store), ("floor", by_hand)):
                took, used = _seconds(run)
                times[side].append(took)
                busy[side].append(used)
        ratios = [one / other for one, other in zip(times["ours"], times["floor"], strict=True)]
        best = {side: min(took) for side, took in times.items()}
        ratio = best["ours"] / best["floor"]
        of_cpu = min(busy["ours"]) / min(busy["floor"])
        print(
            f"{graph.edges:>10,}{len(by_store().graph.nodes):>7,}  {name:<22}{best['ours'] * 1000:>9.1f}"
            f"{best['floor'] * 1000:>9.1f}{ratio:>8.2f}{statistics.median(ratios):>8.2f}{of_cpu:>8.2f}"
            f"{'' if ratio <= MOST_TIMES_THE_FLOOR else '  missed'}",
            flush=True,
        )


def _compare_answers(answer: v1.GetProvenanceResponse, by_hand: tuple[dict[Any, Any], list[Any]]) -> None:
    nodes, _ = by_hand
    found = {("artifact", node.node.artifact_id) for node in answer.graph.nodes if node.node.HasField("artifact_id")}
    found |= {
        ("execution", node.node.execution_id) for node in answer.graph.nodes if node.node.HasField("execution_id")
    }
    if found != nodes.keys():
        ours_alone, theirs_alone = sorted(found - nodes.keys())[:5], sorted(nodes.keys() - found)[:5]
        raise SystemExit(f"the two walks differ: ours alone found {ours_alone}, the floor alone {theirs_alone}")


def _seconds(run: Callable[[], Any]) -> tuple[float, float]:
    started, used = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - started, time.process_time() - used


def compare(database: str, arguments: argparse.Namespace) -> None:
    """Measure one database and print its table."""
    for edges in arguments.edges:
        with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
            config = stack.enter_context(configurations(database, Path(name), durable=False))
            store = Store.open(config["floor_url"])
            stack.callback(store.close)
            graph = generated(edges)
            started = time.perf_counter()
            write(store, graph, PROPERTIES)
            took = time.perf_counter() - started
            if edges == arguments.edges[0]:
                print(f"\n{database}: {config['durability']}; {arguments.rounds} alternations")
                heading = ("edges", "nodes", "what", "ours ms", "floor ms", "ratio", "median", "cpu")
                print("{:>10}{:>7}  {:<22}{:>9}{:>9}{:>8}{:>8}{:>8}".format(*heading))
            floor = Floor(config["floor"])
            stack.callback(floor.close)
            measure(store, floor, graph, arguments.rounds)
            if arguments.verbose:
                print(f"           {graph.artifacts + graph.executions:,} nodes written in {took:.1f} s")


def main() -> int:
    """Run the benchmark; the exit code is 0 whatever the figures are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--edges", default="1000,10000,100000,1000000", type=lambda text: [int(part) for part in text.split(",")]
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--databases", default="sqlite,mysql", type=lambda text: text.split(","))
    parser.add_argument("--verbose", action="store_true", help="say how long writing each graph took")
    arguments = parser.parse_args()
    for database in arguments.databases:
        compare(database, arguments)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
