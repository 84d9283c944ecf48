"""The threads of the HTTP listener: so many for each kind of work, so that no kind keeps another waiting."""

from mlmd_api.methods import Method
from mlmd_api.pools import Pool
from mlmd_api.rest.streams import StreamPool


class Threads:
    """Pools for reads and writes, of facts and with bytes of artifacts, and for probes; places of streams and files.

    Files that are moved have the threads of errands.
    """

    def __init__(self, threads: int, streams: int) -> None:
        self.reads = Pool(threads, "http")
        self.writes = Pool(threads, "http-write")
        self.byte_reads = Pool(threads, "http-bytes")
        self.byte_writes = Pool(threads, "http-byte-write")
        self.probes = Pool(2, "probe")
        self.places = streams
        self.streams = StreamPool(streams)

    def of(self, method: Method | None) -> Pool:
        """Return the pool of a method; None is a path that nobody serves."""
        if method is None:
            return self.reads
        if method.needs_bytes:
            return self.byte_writes if method.writes else self.byte_reads
        return self.writes if method.writes else self.reads

    def shutdown(self) -> None:
        """End them all, waiting for none."""
        for pool in (self.reads, self.writes, self.byte_reads, self.byte_writes, self.probes):
            pool.shutdown(wait=False)
        self.streams.shutdown()
