"""MLflow's side of `benchmarks.registry`: its store in this process, and its client with its own server between.

Run by a Python that has mlflow and the database's driver, with the database's URL and a free port. Each line asks for
so many look-ups of an alias; the answer is the seconds that each took, of the store and of the client.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.request import ProxyHandler, build_opener

import mlflow
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

LONGEST_START_SECONDS = 120


@contextlib.contextmanager
def served(database: str, port: int) -> Iterator[str]:
    """Run MLflow's server on a database, as its documentation says, with one worker; yields its URL."""
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", database]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        await_health(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()


def await_health(url: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + LONGEST_START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), build_opener(ProxyHandler({})).open(f"{url}/health", timeout=5):
            return
        time.sleep(0.2)
    raise SystemExit("MLflow's server does not answer")


def timed(registry: "SqlAlchemyStore | mlflow.MlflowClient", count: int) -> list[float]:
    took = []
    for _ in range(count):
        started = time.perf_counter()
        registry.get_model_version_by_alias("fraud", "champion")
        took.append(time.perf_counter() - started)
    return took


def main() -> None:
    database, port = sys.argv[1], int(sys.argv[2])
    store = SqlAlchemyStore(database)
    store.create_registered_model("fraud")
    for number in range(3):
        store.create_model_version("fraud", f"s3://models/fraud/{number}")
    store.set_registered_model_alias("fraud", "champion", "2")
    with served(database, port) as url:
        client = mlflow.MlflowClient(tracking_uri=url, registry_uri=url)
        timed(store, 20)
        timed(client, 20)
        print(json.dumps(mlflow.__version__), flush=True)
        for line in sys.stdin:
            count = json.loads(line)
            print(json.dumps([timed(store, count), timed(client, count)]), flush=True)


if __name__ == "__main__":
    main()
