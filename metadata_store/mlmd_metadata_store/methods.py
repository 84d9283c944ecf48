"""Every call that the metadata store answers."""

from mlmd_metadata_store.archive_methods import ARCHIVE_METHODS, ARCHIVE_STREAMS
from mlmd_metadata_store.collection_methods import COLLECTION_METHODS
from mlmd_metadata_store.event_writes import EVENT_METHODS
from mlmd_metadata_store.execution_writes import EXECUTION_METHODS
from mlmd_metadata_store.link_writes import LINK_METHODS
from mlmd_metadata_store.metric_methods import METRIC_METHODS
from mlmd_metadata_store.node_lists import LIST_METHODS
from mlmd_metadata_store.node_reads import NODE_READ_METHODS
from mlmd_metadata_store.node_write_methods import NODE_WRITE_METHODS
from mlmd_metadata_store.rpc import Rpc, StreamRpc
from mlmd_metadata_store.run_methods import RUN_METHODS
from mlmd_metadata_store.type_reads import TYPE_METHODS

METADATA_METHODS: tuple[Rpc, ...] = (
    *TYPE_METHODS,
    *NODE_WRITE_METHODS,
    *EXECUTION_METHODS,
    *EVENT_METHODS,
    *LINK_METHODS,
    *NODE_READ_METHODS,
    *LIST_METHODS,
    *COLLECTION_METHODS,
    *METRIC_METHODS,
    *RUN_METHODS,
    *ARCHIVE_METHODS,
)
"""All of MLMD's calls but mlmd_lineage's walks; `mlmd.v1.Collections`, `.Metrics`, `.Runs` and `.Archive`."""

METADATA_STREAMS: tuple[StreamRpc, ...] = ARCHIVE_STREAMS
"""Those that answer with a stream."""
