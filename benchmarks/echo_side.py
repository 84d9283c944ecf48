"""A bare grpcio echo: one unary method that returns the bytes it is sent, with as many threads as our server has.

Usage: `python echo_side.py PORT THREADS`; says "ready" once it listens.
"""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc


class _Echo(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        return grpc.unary_unary_rpc_method_handler(lambda request, context: request)


def main() -> None:
    server = grpc.server(ThreadPoolExecutor(int(sys.argv[2])))
    server.add_generic_rpc_handlers((_Echo(),))
    server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
    server.start()
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
