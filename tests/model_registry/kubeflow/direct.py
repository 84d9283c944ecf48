"""The API's calls on a store in this process: the same methods that HTTP runs, without HTTP."""

import json
from typing import Any

from google.protobuf.wrappers_pb2 import BytesValue
from mlmd_metadata_store.store import Store
from mlmd_model_registry.kubeflow.calls import Request, unpacked_answer
from mlmd_model_registry.kubeflow.methods import KUBEFLOW_METHODS, service_of
from mlmd_schemas.caller import LOCAL

METHODS = {rpc.path: rpc for rpc in KUBEFLOW_METHODS}


class Direct:
    """Calls by the names of the API's operations."""

    def __init__(self, store: Store, version: str = "v1alpha3") -> None:
        self.store, self.version = store, version

    def __call__(self, operation: str, node_id: str = "", body: Any = None, **query: str) -> Any:
        """Make a call; raises StoreError as the store does."""
        request = Request(self.version, node_id, query, "" if body is None else json.dumps(body))
        rpc = METHODS[f"/{service_of(self.version)}/{operation}"]
        answer = self.store.call(rpc, LOCAL, BytesValue(value=request.packed()))
        return json.loads(unpacked_answer(answer.value)[1])

    def names(self, operation: str, node_id: str = "", **query: str) -> list[str]:
        """Return the names in a list, page by page when `pageSize` is given."""
        found: list[str] = []
        token = ""
        while True:
            page = self(operation, node_id, nextPageToken=token, **query)
            found += [item["name"] for item in page["items"]]
            token = page["nextPageToken"]
            if not token:
                return found
