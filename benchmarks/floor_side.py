"""The floor: the rows of each call by hand-written SQL on the bare driver, in process, one commit a call.

The same commands as `client_side.py`. It validates nothing, builds no messages and answers plain tuples: what is left
is what the database and the driver cost.
"""

import json
import sqlite3
import sys
import time
from collections.abc import Sequence
from typing import Any

NODES, PROPERTIES, HOPS = 5_000, 10, 100


class Floor:
    """Hand-written SQL on tables of schema version 10 that mlmd-server made."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.sqlite = "sqlite" in config
        if self.sqlite:
            self.db: Any = sqlite3.connect(config["sqlite"], isolation_level=None)
            self.db.execute("PRAGMA synchronous=FULL")
        else:
            import MySQLdb

            login = config["mysql"]
            self.db = MySQLdb.connect(
                host=login["host"],
                port=login["port"],
                user=login["user"],
                passwd=login["password"],
                db=login["database"],
                charset="utf8mb4",
            )
        self.cursor = self.db.cursor()
        self.place = "?" if self.sqlite else "%s"
        self.serial = 0

    def next(self) -> int:
        self.serial += 1
        return self.serial

    def begin(self) -> None:
        if self.sqlite:
            self.cursor.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self.cursor.execute("COMMIT")

    def many(self, table: str, columns: str, rows: list[tuple[Any, ...]]) -> int:
        """Insert rows; return the id of the first."""
        places = ", ".join([self.place] * len(rows[0]))
        statement = f"INSERT INTO {table} ({columns}) VALUES ({places})"
        if self.sqlite:
            self.cursor.executemany(statement, rows)
            return int(self.cursor.execute("SELECT last_insert_rowid()").fetchone()[0]) - len(rows) + 1
        self.cursor.max_stmt_length = 8 << 20
        self.cursor.executemany(statement, rows)
        return int(self.cursor.lastrowid)

    def rows(self, statement: str, parameters: tuple[Any, ...] = ()) -> Any:
        self.cursor.execute(statement if self.sqlite else statement.replace("?", "%s"), parameters)
        return self.cursor.fetchall()

    def artifacts(self, count: int, names: Sequence[str] | None = None, index: int | None = None) -> int:
        now = int(time.time() * 1000)
        columns = "type_id, uri, state, name, create_time_since_epoch, last_update_time_since_epoch"
        named: Sequence[str | None] = names or [None] * count
        first = self.many("Artifact", columns, [(10, "s3://bucket/path", 2, name, now, now) for name in named])
        ids = range(first, first + count)
        half = range(PROPERTIES // 2)
        ints = [(i, f"p{n}", 0, n) for i in ids for n in half]
        if index is not None:
            ints += [(i, "index", 1, index + k) for k, i in enumerate(ids)]
        self.many("ArtifactProperty", "artifact_id, name, is_custom_property, int_value", ints)
        texts = [(i, f"c{n}", 1, f"value {n}") for i in ids for n in half]
        self.many("ArtifactProperty", "artifact_id, name, is_custom_property, string_value", texts)
        return first

    def read(self, where: str) -> Any:
        nodes = self.rows(
            "SELECT id, type_id, uri, state, name, external_id, create_time_since_epoch, last_update_time_since_epoch "
            f"FROM Artifact WHERE {where}"
        )
        ids = ", ".join(str(node[0]) for node in nodes)
        properties = self.rows(
            "SELECT artifact_id, name, is_custom_property, int_value, double_value, string_value, proto_value, "
            f"bool_value FROM ArtifactProperty WHERE artifact_id IN ({ids})"
        )
        self.commit_read()
        return nodes, properties

    def commit_read(self) -> None:
        if not self.sqlite:
            self.commit()

    def prepare(self, tag: str) -> None:
        self.tag = tag
        self.begin()
        self.first = 0
        for start in range(0, NODES, 500):
            first = self.artifacts(500, [f"{tag}-{n}" for n in range(start, start + 500)], start)
            self.first = self.first or first
        now = int(time.time() * 1000)
        times = "create_time_since_epoch, last_update_time_since_epoch"
        self.context = self.many("Context", f"type_id, name, {times}", [(12, "group", now, now)])
        hops = HOPS // 2 + 1
        self.chain = self.many("Artifact", f"type_id, uri, {times}", [(10, "", now, now)] * (hops + 1))
        runs = self.many("Execution", f"type_id, {times}", [(11, now, now)] * hops)
        events = [(self.chain + n, runs + n, 3, now) for n in range(hops)]
        events += [(self.chain + n + 1, runs + n, 4, now) for n in range(hops)]
        self.many("Event", "artifact_id, execution_id, type, milliseconds_since_epoch", events)
        self.commit()

    def single_put(self) -> None:
        self.begin()
        self.artifacts(1)
        self.commit()

    def batch_put_100(self) -> None:
        self.begin()
        self.artifacts(100)
        self.commit()

    def put_execution(self) -> None:
        now = int(time.time() * 1000)
        self.begin()
        first = self.artifacts(10)
        columns = "type_id, last_known_state, create_time_since_epoch, last_update_time_since_epoch"
        run = self.many("Execution", columns, [(11, 3, now, now)])
        properties = [(run, f"c{n}", 1, "value") for n in range(5)]
        self.many("ExecutionProperty", "execution_id, name, is_custom_property, string_value", properties)
        events = [(first + n, run, 3 if n < 5 else 4, now) for n in range(10)]
        event = self.many("Event", "artifact_id, execution_id, type, milliseconds_since_epoch", events)
        self.many("EventPath", "event_id, is_index_step, step_key", [(event + n, 0, "data") for n in range(10)])
        self.many("Attribution", "context_id, artifact_id", [(self.context, first + n) for n in range(10)])
        self.many("Association", "context_id, execution_id", [(self.context, run)])
        self.commit()

    def update(self) -> None:
        now = int(time.time() * 1000)
        self.begin()
        self.rows("SELECT * FROM Artifact WHERE id = ?", (self.first,))
        self.rows("SELECT * FROM ArtifactProperty WHERE artifact_id = ?", (self.first,))
        changed = f"changed {self.next()}"
        self.cursor.execute(
            f"UPDATE ArtifactProperty SET string_value = {self.place} "
            f"WHERE artifact_id = {self.place} AND name = 'c0' AND is_custom_property = 1",
            (changed, self.first),
        )
        self.cursor.execute(
            f"UPDATE Artifact SET last_update_time_since_epoch = {self.place} WHERE id = {self.place}",
            (now, self.first),
        )
        self.commit()

    def read_1(self) -> None:
        self.read(f"id = {self.first + self.next() % NODES}")

    def read_100(self) -> None:
        start = self.first + self.next() * 37 % (NODES - 100)
        assert len(self.read(f"id BETWEEN {start} AND {start + 99}")[0]) == 100

    def read_by_name(self) -> None:
        self.read(f"type_id = 10 AND name = '{self.tag}-{self.next() % NODES}'")

    def page_100(self) -> None:
        assert len(self.read("id > 0 ORDER BY id LIMIT 101")[0]) == 101

    def property_filter(self) -> None:
        nodes = self.read(
            "id IN (SELECT a.artifact_id FROM ArtifactProperty a JOIN ArtifactProperty b USING (artifact_id) "
            f"WHERE a.name = 'index' AND a.is_custom_property = 1 AND a.int_value >= {NODES - 100} "
            "AND b.name = 'p1' AND b.is_custom_property = 0 AND b.int_value = 1) ORDER BY id LIMIT 101"
        )[0]
        assert len(nodes) >= 100

    def lineage_100_hops(self) -> None:
        frontier, runs = [self.chain], 0
        for hop in range(HOPS):
            here, there, kind = (
                ("artifact_id", "execution_id", 3) if hop % 2 == 0 else ("execution_id", "artifact_id", 4)
            )
            ids = ", ".join(map(str, frontier))
            frontier = [
                row[0] for row in self.rows(f"SELECT {there} FROM Event WHERE {here} IN ({ids}) AND type = {kind}")
            ]
            runs += len(frontier) if hop % 2 == 0 else 0
        self.commit_read()
        assert runs == HOPS // 2


def main() -> None:
    floor = Floor(json.loads(sys.argv[1]))
    for line in sys.stdin:
        command = json.loads(line)
        taken: list[float] = []
        if command["scenario"] == "prepare":
            floor.prepare(command["tag"])
        else:
            call = getattr(floor, command["scenario"])
            for _ in range(command["repeat"]):
                start = time.perf_counter()
                call()
                taken.append(time.perf_counter() - start)
        print(json.dumps(taken), flush=True)


if __name__ == "__main__":
    main()
