"""`ml_metadata.metadata_store.mlmd_types`."""

from mlmd_client.metadata_store.mlmd_types import *  # noqa: F403
