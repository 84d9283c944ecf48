"""A store of 5,000 nodes of each kind, for counting what a call sends."""

from typing import Any

from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.metadata_store.calls import Calls, counted

SIZES = (1, 100, 5000)
MOST = max(SIZES)
ROWS_AT_ONCE = 1000
"""A call may send one more statement for each started thousand of rows, table by table."""


class World:
    """5,000 nodes of each kind with a custom property each, in one context, in events, under one parent."""

    def __init__(self, call: Calls) -> None:
        self.call = call
        self.serial = 0
        text = {"custom_properties": {"c": {"string_value": "x"}}}
        self.types = {
            noun: call(f"Put{noun}Type", **{f"{noun.lower()}_type": {"name": "T", "external_id": noun}}).type_id
            for noun in ("Artifact", "Execution", "Context")
        }
        for number in range(0, MOST, 1000):
            extra = [{"name": f"T{n}", "external_id": f"t{n}"} for n in range(number, number + 1000)]
            call("PutTypes", artifact_types=extra)
        self.ids: dict[str, list[int]] = {}
        for noun, plural in (("Artifact", "artifacts"), ("Execution", "executions"), ("Context", "contexts")):
            nodes = [
                {"type_id": self.types[noun], "name": f"n{n}", "external_id": f"e{n}", **text} for n in range(MOST)
            ]
            if noun == "Artifact":
                nodes = [{**node, "uri": f"u{n}"} for n, node in enumerate(nodes)]
            answer = call(f"Put{noun}s", **{plural: nodes})
            self.ids[noun] = list(getattr(answer, f"{noun.lower()}_ids"))
        first = {noun: ids[0] for noun, ids in self.ids.items()}
        call(
            "PutEvents",
            events=[
                {"artifact_id": a, "execution_id": e, "type": pb.Event.INPUT, "path": {"steps": [{"index": 0}]}}
                for a, e in zip(self.ids["Artifact"], self.ids["Execution"], strict=True)
            ],
        )
        call(
            "PutAttributionsAndAssociations",
            attributions=[{"context_id": first["Context"], "artifact_id": i} for i in self.ids["Artifact"]],
            associations=[{"context_id": first["Context"], "execution_id": i} for i in self.ids["Execution"]],
        )
        links = [{"parent_id": first["Context"], "child_id": i} for i in self.ids["Context"][1:]]
        call("PutParentContexts", parent_contexts=links)
        self.type_ids = [t.id for t in call("GetArtifactTypes").artifact_types]

    def fresh(self, noun: str, count: int, **fields: Any) -> list[dict[str, Any]]:
        """Return new nodes."""
        self.serial += 1
        kept = {"type_id": self.types[noun], "custom_properties": {"c": {"int_value": 1}}, **fields}
        return [{**kept, "name": f"f{self.serial}-{n}"} for n in range(count)]

    def count(self, method: str, asked: dict[str, Any]) -> int:
        """Make a call and return how many statements it sent."""
        with counted(self.call.store) as statements:
            self.call(method, **asked)
        return len(statements)

    def context(self) -> int:
        """Return a new, empty context."""
        (made,) = self.call("PutContexts", contexts=self.fresh("Context", 1)).context_ids
        return int(made)


def is_lawful(counts: list[int], tables: int) -> bool:
    """Tell whether a call that made so many statements at SIZES kept to the law, with that many tables involved."""
    more = zip(counts[1:], SIZES[1:], strict=True)
    return all(count <= counts[0] + tables * -(-size // ROWS_AT_ONCE) for count, size in more)
