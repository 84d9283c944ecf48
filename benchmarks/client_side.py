"""Calls through Google's own Python client, timed: in process on a database, or over gRPC to a server.

Runs in the reference environment. Usage: `client_side.py CONFIG`, CONFIG being JSON: {"sqlite": path},
{"mysql": {"host", "port", "user", "password", "database"}} or {"grpc": {"host", "port"}}. Then one JSON command a line
on standard input, {"scenario": name, "repeat": n}, answered by one JSON line with the seconds of each repetition.
"""

import json
import sys
import time
from typing import Any

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

NODES, PROPERTIES, HOPS = 5_000, 10, 100


def connect(config: dict[str, Any]) -> Any:
    if "grpc" in config:
        made = pb.MetadataStoreClientConfig(**config["grpc"])
        made.channel_arguments.max_receive_message_length = 100 << 20
        return metadata_store.MetadataStore(made)
    made = pb.ConnectionConfig()
    if "sqlite" in config:
        made.sqlite.filename_uri = config["sqlite"]
    else:
        made.mysql.CopyFrom(pb.MySQLDatabaseConfig(**config["mysql"]))
    return metadata_store.MetadataStore(made)


class Scenarios:
    """Each method named in SCENARIOS is one call; `prepare` fills the store once."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.serial = 0
        self.ids: list[int] = []

    def next(self) -> int:
        self.serial += 1
        return self.serial

    def artifact(self, name: str | None = None) -> Any:
        made = pb.Artifact(type_id=self.data, uri="s3://bucket/path", state=pb.Artifact.LIVE)
        if name is not None:
            made.name = name
        for number in range(PROPERTIES // 2):
            made.properties[f"p{number}"].int_value = number
            made.custom_properties[f"c{number}"].string_value = f"value {number}"
        return made

    def prepare(self, tag: str) -> None:
        store, self.tag = self.store, tag
        data = pb.ArtifactType(name="Data")
        for number in range(PROPERTIES // 2):
            data.properties[f"p{number}"] = pb.INT
        self.data = store.put_artifact_type(data)
        self.run = store.put_execution_type(pb.ExecutionType(name="Run"))
        self.group = store.put_context_type(pb.ContextType(name="Group"))
        existing = store.get_contexts_by_type("Group")
        if existing:
            self.context = existing[0]
        else:
            (context_id,) = store.put_contexts([pb.Context(type_id=self.group, name="group")])
            (self.context,) = store.get_contexts_by_id([context_id])
        self.ids = []
        for start in range(0, NODES, 500):
            batch = [self.artifact(f"{tag}-{number}") for number in range(start, start + 500)]
            for number, made in enumerate(batch, start):
                made.custom_properties["index"].int_value = number
            self.ids += store.put_artifacts(batch)
        self.chain = self.make_chain()
        self.changing = self.ids[0]

    def make_chain(self) -> int:
        first: int = self.store.put_artifacts([pb.Artifact(type_id=self.data)])[0]
        previous = first
        for _ in range(HOPS // 2 + 1):
            pairs = [
                (pb.Artifact(id=previous, type_id=self.data), pb.Event(type=pb.Event.INPUT)),
                (pb.Artifact(type_id=self.data), pb.Event(type=pb.Event.OUTPUT)),
            ]
            _, (_, previous), _ = self.store.put_execution(pb.Execution(type_id=self.run), pairs, [])
        return first

    def single_put(self) -> None:
        self.store.put_artifacts([self.artifact()])

    def batch_put_100(self) -> None:
        self.store.put_artifacts([self.artifact() for _ in range(100)])

    def put_execution(self) -> None:
        pairs = [(self.artifact(), pb.Event(type=kind)) for kind in [pb.Event.INPUT] * 5 + [pb.Event.OUTPUT] * 5]
        for _, event in pairs:
            event.path.steps.add(key="data")
        execution = pb.Execution(type_id=self.run, last_known_state=pb.Execution.COMPLETE)
        for number in range(5):
            execution.custom_properties[f"c{number}"].string_value = "value"
        self.store.put_execution(execution, pairs, [self.context])

    def update(self) -> None:
        made = self.artifact(f"{self.tag}-0")
        made.id = self.changing
        made.custom_properties["c0"].string_value = f"changed {self.next()}"
        self.store.put_artifacts([made])

    def empty_call(self) -> None:
        assert not self.store.get_events_by_execution_ids([])

    def read_1(self) -> None:
        assert len(self.store.get_artifacts_by_id([self.ids[self.next() % NODES]])) == 1

    def read_100(self) -> None:
        start = self.next() * 37 % (NODES - 100)
        assert len(self.store.get_artifacts_by_id(self.ids[start : start + 100])) == 100

    def read_by_name(self) -> None:
        assert self.store.get_artifact_by_type_and_name("Data", f"{self.tag}-{self.next() % NODES}") is not None

    def page_100(self) -> None:
        options = metadata_store.ListOptions(limit=100, order_by=metadata_store.OrderByField.ID)
        assert len(self.store.get_artifacts(options)) == 100

    def property_filter(self) -> None:
        query = f"custom_properties.index.int_value >= {NODES - 100} AND properties.p1.int_value = 1"
        options = metadata_store.ListOptions(limit=100, filter_query=query)
        assert len(self.store.get_artifacts(options)) == 100

    def lineage_100_hops(self) -> None:
        query = pb.LineageSubgraphQueryOptions(max_num_hops=HOPS, direction=pb.LineageSubgraphQueryOptions.DOWNSTREAM)
        query.starting_artifacts.filter_query = f"id = {self.chain}"
        graph = self.store.get_lineage_subgraph(query, ["artifacts", "executions", "events"])
        assert len(graph.executions) == HOPS // 2, len(graph.executions)


def main() -> None:
    scenarios = Scenarios(connect(json.loads(sys.argv[1])))
    for line in sys.stdin:
        command = json.loads(line)
        taken: list[float] = []
        if command["scenario"] == "prepare":
            scenarios.prepare(command["tag"])
        else:
            call = getattr(scenarios, command["scenario"])
            for _ in range(command["repeat"]):
                start = time.perf_counter()
                call()
                taken.append(time.perf_counter() - start)
        print(json.dumps(taken), flush=True)


if __name__ == "__main__":
    main()
