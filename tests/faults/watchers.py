"""Watches of health that come and go in every state that they can be in, as a process that may be killed at any moment.

`python -m tests.faults.watchers TARGET` writes a line for each round of ten watches, and goes on until it is killed. It
is a process of its own because what a client's library makes of a hundred watches on a server that ends is not the
server's affair: that of grpcio was seen, once, to wait for ever for a call whose deadline and server were long gone.
"""

import contextlib
import sys
import threading

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.services.server import NO_PROXY

THREADS = 4
WATCHES = 10
"""Of a round; every second one is cancelled before it can have begun, the others once they were answered."""


def churn(target: str) -> None:
    """Watch over one channel, round after round; a server that is gone is asked again."""
    own_connection = ("grpc.use_local_subchannel_pool", 1)
    with grpc.insecure_channel(target, options=[own_connection, NO_PROXY]) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        while True:
            watches = [stub.Watch(health_pb2.HealthCheckRequest(), timeout=20) for _ in range(WATCHES)]
            for watch in watches[::2]:
                watch.cancel()
            said = ""
            for watch in watches[1::2]:
                with contextlib.suppress(grpc.RpcError, StopIteration):
                    said += health_pb2.HealthCheckResponse.ServingStatus.Name(next(watch).status) + " "
                watch.cancel()
            print(said, flush=True)


def main() -> None:
    """Churn in some threads."""
    for _ in range(THREADS):
        threading.Thread(target=churn, args=(sys.argv[1],)).start()


if __name__ == "__main__":
    main()
