"""`ml_metadata.proto.metadata_store_pb2`."""

from mlmd_schemas.pb.metadata_store_pb2 import *  # noqa: F403
