"""`ml_metadata.errors`."""

from mlmd_client.metadata_store.errors import *  # noqa: F403
