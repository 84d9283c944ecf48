"""`mlmd-server claim`: whose the bytes at `--artifacts` are, and how a database takes the place of another."""

import argparse

from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.requests import Requests
from mlmd_metadata_store.identity import renew_identity
from mlmd_schemas.caller import Caller
from mlmd_schemas.errors import InvalidArgument

from mlmd_server.findings import Output


def claim(requests: Requests, caller: Caller, arguments: argparse.Namespace, output: Output) -> int:
    """Make the place this store's, if it is nobody's or is to be taken over; raises FailedPrecondition if it is not."""
    artifacts = requests.artifacts
    if arguments.new_identity:
        if arguments.take_over:
            raise InvalidArgument("new-identity: a copy that gets an identity of its own takes nobody's place.")
        made = artifacts.store.database.write(caller, renew_identity)
        output.line(f"this database is the store {made} from now on", store_uuid=made)
        return 0
    if arguments.take_over:
        artifacts.ownership.take_over()
    artifacts.ownership.check(fresh=True)
    _tell(artifacts, output)
    return 0


def _tell(artifacts: Artifacts, output: Output) -> None:
    uri, store_uuid = artifacts.blobs.uri(), artifacts.store.store_uuid
    output.line(f"{uri} keeps the bytes of this store, {store_uuid}", root_uri=uri, store_uuid=store_uuid)
