"""The names of ml_metadata: `import mlmd_client.compat.ml_metadata as ml_metadata` is the whole migration."""

from mlmd_client.compat.ml_metadata import errors, proto
from mlmd_client.compat.ml_metadata.metadata_store import ListOptions, MetadataStore, OrderByField, downgrade_schema
from mlmd_client.compat.ml_metadata.version import __version__

__all__ = [
    "ListOptions",
    "MetadataStore",
    "OrderByField",
    "__version__",
    "downgrade_schema",
    "errors",
    "proto",
]
