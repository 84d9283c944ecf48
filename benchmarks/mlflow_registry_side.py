"""MLflow's side of `benchmarks.registry`: its store, in this process, without a server between.

Run by a Python that has mlflow and the database's driver. Each line asks for so many look-ups of an alias; the answer
is the seconds that each took.
"""

import json
import sys
import time

import mlflow
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore


def main() -> None:
    store = SqlAlchemyStore(sys.argv[1])
    store.create_registered_model("fraud")
    for number in range(3):
        store.create_model_version("fraud", f"s3://models/fraud/{number}")
    store.set_registered_model_alias("fraud", "champion", "2")
    print(json.dumps(mlflow.__version__), flush=True)
    for line in sys.stdin:
        took = []
        for _ in range(json.loads(line)):
            started = time.perf_counter()
            store.get_model_version_by_alias("fraud", "champion")
            took.append(time.perf_counter() - started)
        print(json.dumps(took), flush=True)


if __name__ == "__main__":
    main()
