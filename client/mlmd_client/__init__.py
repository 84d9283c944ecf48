"""The client of mlmd-server: runs, versions, lineage and metrics in a few lines, on a server or in this process.

    from mlmd_client import Store

    store = Store()                                   # ./mlmd-data; Store("grpc://host:8080") is the same on a server
    with store.run("churn/train", params=params) as run:
        train = run.use("churn-train@latest")
        model = fit(train.df(), **params)
        run.evaluate("test", y_true, model.predict_proba(x)[:, 1])
        run.log_model("churn", model)

What is here by name is loaded when it is first used, so that the import costs little.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlmd_schemas.errors import Code

    from mlmd_client.calls import CallError
    from mlmd_client.failures import Denied, NotFound, Refused, Taken, Unreachable
    from mlmd_client.run import Run, current_run
    from mlmd_client.store import Store
    from mlmd_client.transfer_errors import ChangedFile, DamagedBytes
    from mlmd_client.transport import MissingExtra
    from mlmd_client.versions import Version

_PLACES = {
    "CallError": "calls",
    "ChangedFile": "transfer_errors",
    "Code": "calls",
    "DamagedBytes": "transfer_errors",
    "Denied": "failures",
    "MissingExtra": "transport",
    "NotFound": "failures",
    "Refused": "failures",
    "Run": "run",
    "Store": "store",
    "Taken": "failures",
    "Unreachable": "failures",
    "Version": "versions",
    "current_run": "run",
}

__all__ = [
    "CallError",
    "ChangedFile",
    "Code",
    "DamagedBytes",
    "Denied",
    "MissingExtra",
    "NotFound",
    "Refused",
    "Run",
    "Store",
    "Taken",
    "Unreachable",
    "Version",
    "current_run",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'mlmd_client' has no attribute {name!r}")
    found = getattr(import_module(f"mlmd_client.{_PLACES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
