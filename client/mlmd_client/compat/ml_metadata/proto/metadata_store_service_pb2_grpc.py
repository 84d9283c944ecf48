"""`ml_metadata.proto.metadata_store_service_pb2_grpc`."""

from mlmd_schemas.pb.metadata_store_service_pb2_grpc import *  # noqa: F403
