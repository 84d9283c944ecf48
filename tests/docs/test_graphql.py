"""The queries of docs/graphql.md are asked of the runs that it speaks of, and answer their questions."""

import re
from pathlib import Path
from typing import Any

import pytest
from mlmd_api.graphql.engine import GraphqlEngine
from mlmd_api.graphql.requests import GraphqlRequest
from mlmd_api.methods import by_path, store_methods
from mlmd_api.tenants import TenantStores
from mlmd_lineage.methods import LINEAGE_METHODS
from mlmd_metadata_store.methods import METADATA_METHODS
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import Caller

PAGE = (Path(__file__).parents[2] / "docs" / "graphql.md").read_text("utf-8")
BLOCKS = {
    re.findall(r"(?:query|mutation) (\w+)", block)[0]: block
    for block in re.findall(r"```graphql\n(.*?)```", PAGE, flags=re.S)
}


class Told:
    """The store of the page's story; `ask` runs one of its blocks by name."""

    def __init__(self, url: str) -> None:
        self.stores = TenantStores({"": url}, Store.open)
        methods = by_path(store_methods((*METADATA_METHODS, *LINEAGE_METHODS), self.stores))
        self.engine = GraphqlEngine(self.stores, methods)
        self.asked: set[str] = set()

    def ask(self, name: str, **variables: Any) -> Any:
        """Return the data of a block of the page."""
        import json

        self.asked.add(name)
        work = self.engine.work(GraphqlRequest(BLOCKS[name], variables), Caller(), may_write=True)
        answer = json.loads(work.body)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]


def _run(told: Told, types: dict[str, str], number: int, read: dict[str, Any]) -> tuple[str, str]:
    """Record one run that read what the pair says; return the ids of its data and its model."""
    version = told.ask("Version", uri=f"s3://models/churn/{number}")["addVersion"]["version"]
    model: str = version["artifact"]["id"]
    made = told.ask(
        "Step",
        execution={
            "typeId": types["train"],
            "name": f"train-{number}",
            "state": "COMPLETE",
            "customProperties": [{"name": "learning_rate", "doubleValue": 0.1 * number}],
        },
        pairs=[
            read,
            {"event": {"type": "OUTPUT", "artifactId": model, "path": [{"key": "model"}]}},
        ],
        run={"typeId": types["run"], "name": f"run-{number}"},
        key=f"run-{number}/train",
    )["putExecution"]
    told.ask(
        "Metrics",
        model=model,
        loss={"owner": model, "name": "loss"},
        test={"owner": model, "name": "test"},
        matrix={"labels": ["stays", "leaves"], "counts": [8, number, 1, 4]},
        curve={"label": "leaves", "thresholds": [0.9, 0.5], "truePositives": [2, 4], "falsePositives": [0, 1]},
        steps=["1", "2", "3"],
        values=[1.0, "NaN", 0.25 / number],
    )
    return made["artifacts"][0]["id"], model


def test_every_query_answers_its_question(database_url: str) -> None:
    told = Told(database_url)
    types = {name: made["type"]["id"] for name, made in told.ask("Types").items()}
    new = {"typeId": types["data"], "name": "churn-data", "uri": "s3://tables/churn", "state": "LIVE"}
    event = {"type": "INPUT", "path": [{"key": "data"}]}
    data, first = _run(told, types, 1, {"artifact": new, "event": event})
    same, second = _run(told, types, 2, {"event": event | {"artifactId": data}})
    assert same == data
    told.ask("Promote", number="2")
    _questions(told, data, first, second)
    assert told.asked == set(BLOCKS)
    told.stores.close()


def _questions(told: Told, data: str, first: str, second: str) -> None:
    made_of = told.ask("WhatItWasMadeOf", model=second)["provenance"]
    (source,) = made_of["data"]
    assert (source["name"], source["uri"], source["isOrigin"]) == ("churn-data", "s3://tables/churn", True)
    (step,) = made_of["parameters"]
    assert (step["parameters"][0]["name"], step["parameters"][0]["value"]["doubleValue"]) == ("learning_rate", 0.2)
    touched = told.ask("WhatItTouched", data=data)["impact"]["models"]
    assert {one["registrations"][0]["version"] for one in touched} == {"1", "2"}
    assert {alias for one in touched for registration in one["registrations"] for alias in registration["aliases"]} >= {
        "prod"
    }
    figures = told.ask("HowTheyCompare", models=[first, second])["compare"]["figures"]
    accuracy = next(one for one in figures if (one["name"], one["figure"]) == ("test", "accuracy"))
    assert accuracy["values"] == [12 / 14, 12 / 15]
    keys = [{"owner": model, "name": "test"} for model in (first, second)]
    changed = told.ask("WhatChanged", before={"key": keys[0]}, after={"key": keys[1]}, key=keys[0])
    assert changed["diffMatrices"]["deltas"][1] == pytest.approx(2 / 10 - 1 / 9)
    assert changed["matrixAtThreshold"]["matrix"]["counts"][3] == "4"
    why = told.ask("WhyTheyDiffer", first=first, second=second)["difference"]
    found = {(one["aspect"], one["name"]) for entry in why["steps"] for one in entry["differences"]}
    assert ("PARAMETER", "learning_rate") in found
    way = told.ask("HowItCameAbout", data=data, model=second)["path"]
    assert (way["found"], len(way["path"]["nodes"])) == (True, 3)
    assert told.ask("AsADrawing", model=second)["lineageDocument"]["content"].startswith("<svg")
    version = told.ask("InProduction")["version"]
    assert version["number"] == "2"
    (series,) = version["artifact"]["series"]
    assert (series["lastValue"], series["sample"]["values"]) == (0.125, [1.0, "NaN", 0.125])
    (event,) = version["artifact"]["events"]["nodes"]
    assert (event["type"], event["execution"]["name"]) == ("OUTPUT", "train-2")
    assert told.ask("Failures")["executions"]["nodes"] == []
    files = told.ask("WhereItsFilesAre", model=second)["node"]
    assert files == {"manifest": None, "files": {"nodes": []}}
