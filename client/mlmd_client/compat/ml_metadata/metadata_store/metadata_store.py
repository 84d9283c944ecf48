"""`ml_metadata.metadata_store.metadata_store`."""

from mlmd_client.compat.ml_metadata import errors, proto
from mlmd_client.compat.ml_metadata.proto import metadata_store_pb2, metadata_store_service_pb2
from mlmd_client.metadata_store import (
    MAX_NUM_RESULT,
    ExtraOptions,
    ListOptions,
    MetadataStore,
    OrderByField,
    downgrade_schema,
)

__all__ = [
    "MAX_NUM_RESULT",
    "ExtraOptions",
    "ListOptions",
    "MetadataStore",
    "OrderByField",
    "downgrade_schema",
    "errors",
    "metadata_store_pb2",
    "metadata_store_service_pb2",
    "proto",
]
