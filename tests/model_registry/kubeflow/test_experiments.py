"""Experiments, their runs and what their metrics were (v1alpha3)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.model_registry.kubeflow.rest import Api, fresh


def run_of(api: Api) -> Any:
    experiment = api.post("/experiments", name=fresh("experiment"))
    return api.post("/experiment_runs", experimentId=experiment["id"], name="run")


def test_an_experiment_and_its_runs(api: Api) -> None:
    name = fresh("experiment")
    experiment = api.post("/experiments", name=name, owner="ann", description="d")
    assert (experiment["state"], experiment["owner"]) == ("LIVE", "ann")
    assert api.get("/experiment", name=name) == experiment
    path = f"/experiments/{experiment['id']}"
    assert api.patch(path, state="ARCHIVED")["description"] == "d"
    said = {"name": "r/1", "startTimeSinceEpoch": "1700000000000", "status": "SCHEDULED"}
    run = api.post("/experiment_runs", experimentId=experiment["id"], **said)
    assert {key: run[key] for key in said} == said
    assert api.get("/experiment_run", name="r/1", parentResourceId=experiment["id"]) == run
    unnamed = api.post(f"{path}/experiment_runs", owner="bob")
    assert (unnamed["status"], unnamed["state"], len(unnamed["name"])) == ("RUNNING", "LIVE", 36)
    assert api.items(f"{path}/experiment_runs") == [run, unnamed]
    ended = api.patch(f"/experiment_runs/{run['id']}", status="FINISHED", endTimeSinceEpoch="1700000009999")
    assert (ended["endTimeSinceEpoch"], ended["startTimeSinceEpoch"]) == ("1700000009999", "1700000000000")
    late = "endTimeSinceEpoch > 1700000000000 AND status = 'FINISHED'"
    assert api.items(f"{path}/experiment_runs", filterQuery=late) == [ended]
    wrong = {"startTimeSinceEpoch": "1"}
    assert "unknown field" in api.error(400, "PATCH", f"/experiment_runs/{run['id']}", json=wrong)
    api.error(409, "POST", f"{path}/experiment_runs", json={"name": "r/1"})
    api.error(404, "POST", "/experiment_runs", json={"experimentId": "999999999"})


def test_artifacts_of_a_run_name_it(api: Api, v1: Api) -> None:
    run = run_of(api)
    path = f"/experiment_runs/{run['id']}/artifacts"
    made = [
        api.post(path, 201, name="m", artifactType="model-artifact", uri="s3://b/m"),
        api.post(path, 200, name="d", artifactType="dataset-artifact", uri="s3://b/d"),
        api.post(path, 200, name="p", artifactType="parameter", value="1", parameterType="number"),
        api.post(path, 200, name="q", artifactType="metric", value=0.5),
    ]
    for artifact in made:
        assert (artifact["experimentRunId"], artifact["experimentId"]) == (run["id"], run["experimentId"])
        assert not {"experimentId", "experimentRunId"} & set(v1.get(f"/artifacts/{artifact['id']}"))
    assert api.items(path) == made
    assert api.items("/artifacts", filterQuery=f"experimentRunId = {run['id']}") == made
    assert api.items(path, artifactType="metric", filterQuery="value > 0.4") == made[3:]
    assert api.items(path, filterQuery="value = '1'") == [made[2]]
    whole = {**made[0], "description": "sent back as it came"}
    assert api.post(path, 200, **whole)["id"] == made[0]["id"]


def test_every_write_of_a_metric_is_kept(api: Api) -> None:
    run, other = run_of(api), run_of(api)
    for each in (run, other):
        path = f"/experiment_runs/{each['id']}/artifacts"
        for step in range(5):
            written = api.post(path, 200, name="auc", artifactType="metric", value=step / 4, step=step)
        api.post(path, 200, name="auc__5", artifactType="metric", value=9, step=0)
        api.post(path, 200, name="a%", artifactType="metric", value=8, timestamp="1700000000000")
    path = f"/experiment_runs/{run['id']}/metric_history"
    rows = api.items(path, name="auc")
    assert [(row["name"], row["value"], row["step"]) for row in rows] == [("auc", step / 4, step) for step in range(5)]
    assert all(row["artifactType"] == "metric" for row in rows)
    assert [row["value"] for row in api.items(path, name="auc", stepIds="1, 3")] == [0.25, 0.75]
    assert [row["value"] for row in api.items(path, name="auc__5")] == [9]
    assert [row["name"] for row in api.items(path, name="a%")] == ["a%"]
    assert api.items(path, name="a_c") == []
    assert len(api.items(path)) == 7
    assert api.items(path, pageSize="2") == api.items(path)
    assert [row["step"] for row in api.items(path, name="auc", filterQuery="value >= 0.5", sortOrder="DESC")] == [
        4,
        3,
        2,
    ]
    every = [row["experimentRunId"] for row in api.items("/experiment_runs/metric_history", name="auc")]
    assert (every.count(run["id"]), every.count(other["id"])) == (5, 5)
    assert len(api.items(f"/experiment_runs/{other['id']}/artifacts", artifactType="metric")) == 3
    assert written["value"] == 1
    api.error(404, "GET", "/experiment_runs/999999999/metric_history")
    api.error(400, "GET", path, params={"stepIds": "1,x"})


def test_writers_of_one_metric_lose_nothing(api: Api) -> None:
    run = run_of(api)
    path = f"/experiment_runs/{run['id']}/artifacts"
    api.post(path, 200, name="loss", artifactType="metric", value=0, step=0)

    def write(step: int) -> None:
        api.post(path, 200, name="loss", artifactType="metric", value=step, step=step)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(1, 25)))
    rows = api.items(f"/experiment_runs/{run['id']}/metric_history", name="loss")
    assert sorted(row["step"] for row in rows) == list(range(25))
    (metric,) = api.items(path)
    last = max(rows, key=lambda row: int(row["lastUpdateTimeSinceEpoch"]))
    assert metric["step"] in {row["step"] for row in rows}
    assert last["name"] == "loss"
