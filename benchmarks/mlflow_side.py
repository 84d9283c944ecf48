"""MLflow's side of `benchmarks.metrics`: log_batch of its store, 1,000 points a call, the most it takes.

Run by a Python that has mlflow and the database's driver. Each line asks for one series; the answer is the CPU used.
"""

import json
import math
import sys
import time

import mlflow
from mlflow.entities import Metric
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

BATCH = 1_000


def main() -> None:
    store = SqlAlchemyStore(sys.argv[1], "/nowhere")
    experiment = store.create_experiment("points")
    run = store.create_run(experiment, "bench", int(time.time() * 1000), [], "bench").info.run_id
    print(json.dumps(mlflow.__version__), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        points, name = command["points"], f"loss {command['number']}"
        before = time.process_time()
        metrics = [Metric(name, math.exp(-n / points), 1_700_000_000_000 + 10 * n, n) for n in range(points)]
        for start in range(0, points, BATCH):
            store.log_batch(run, metrics=metrics[start : start + BATCH], params=[], tags=[])
        print(json.dumps(time.process_time() - before), flush=True)


if __name__ == "__main__":
    main()
