"""The threads of the HTTP listener: so many for each kind of work, so that no kind keeps another waiting."""

from mlmd_api.rest.pools import Pool
from mlmd_api.rest.streams import StreamPool


class Threads:
    """Pools for reads, writes, probes and files that are moved, and the places of streams."""

    def __init__(self, threads: int, streams: int) -> None:
        self.reads = Pool(threads, "http")
        self.writes = Pool(threads, "http-write")
        self.probes = Pool(2, "probe")
        self.files = Pool(streams, "file")
        self.streams = StreamPool(streams)

    def shutdown(self) -> None:
        """End them all, waiting for none."""
        for pool in (self.reads, self.writes, self.probes, self.files):
            pool.shutdown(wait=False)
        self.streams.shutdown()
