"""One call that tests make over HTTP again and again, and the headers that it takes."""

from mlmd_schemas.pb import metadata_store_pb2 as mlmd

from tests.api.conftest import ODD

GRPC_WEB = {"content-type": "application/grpc-web+proto"}
PROTO = {"content-type": "application/proto"}
NOTE = f"{ODD}Note"
ARTIFACT = mlmd.Artifact(id=7, uri="here")
BODY = ARTIFACT.SerializeToString()
