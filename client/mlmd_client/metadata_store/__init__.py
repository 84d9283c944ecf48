"""The client of ml_metadata 1.17.1, in pure Python: same classes, methods, defaults, retries and exceptions.

>>> from mlmd_client.metadata_store import MetadataStore
>>> from mlmd_schemas.pb.metadata_store_pb2 import ArtifactType, ConnectionConfig, FakeDatabaseConfig
>>> store = MetadataStore(ConnectionConfig(fake_database=FakeDatabaseConfig()))
>>> store.put_artifact_type(ArtifactType(name="DataSet")) == store.get_artifact_type("DataSet").id
True
"""

from mlmd_client.metadata_store.connection import ExtraOptions
from mlmd_client.metadata_store.downgrade import downgrade_schema
from mlmd_client.metadata_store.listing import MAX_NUM_RESULT, ListOptions, OrderByField
from mlmd_client.metadata_store.store import MetadataStore

__all__ = [
    "MAX_NUM_RESULT",
    "ExtraOptions",
    "ListOptions",
    "MetadataStore",
    "OrderByField",
    "downgrade_schema",
]
