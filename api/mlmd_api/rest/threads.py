"""The threads of the HTTP listener: so many for each kind of work, so that no kind keeps another waiting."""

from concurrent.futures import ThreadPoolExecutor

from mlmd_api.rest.streams import StreamPool


class Threads:
    """Pools for reads, writes, probes and files that are moved, and the places of streams."""

    def __init__(self, threads: int, streams: int) -> None:
        self.reads = ThreadPoolExecutor(threads, thread_name_prefix="http")
        self.writes = ThreadPoolExecutor(threads, thread_name_prefix="http-write")
        self.probes = ThreadPoolExecutor(2, thread_name_prefix="probe")
        self.files = ThreadPoolExecutor(streams, thread_name_prefix="file")
        self.streams = StreamPool(streams)

    def shutdown(self) -> None:
        """End them all, waiting for none."""
        for pool in (self.reads, self.writes, self.probes, self.files):
            pool.shutdown(wait=False)
        self.streams.shutdown()
