"""`ml_metadata.metadata_store`."""

from mlmd_client.metadata_store import ListOptions, MetadataStore, OrderByField, downgrade_schema

__all__ = ["ListOptions", "MetadataStore", "OrderByField", "downgrade_schema"]
