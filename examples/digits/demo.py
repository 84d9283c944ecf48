"""Runs the example against a server that it starts itself; leaves everything in ./mlmd-demo.

python examples/digits/demo.py [folder]
"""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
READY_SECONDS = 60.0


def free_port() -> int:
    """Return a port of the loopback interface that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_ready(server: subprocess.Popen[str]) -> None:
    """Wait until the server says that it is ready; raises SystemExit when it does not."""
    until = time.monotonic() + READY_SECONDS
    while server.stdout is not None and time.monotonic() < until:
        line = server.stdout.readline().strip()
        if line == "ready":
            return
        if not line and server.poll() is not None:
            break
    raise SystemExit(f"The server did not start; its exit status is {server.poll()}.")


def main() -> int:
    """Start a server, run the example in a folder, end the server; return the example's exit status."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "mlmd-demo").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    grpc_port, http_port = free_port(), free_port()
    program = Path(sys.executable).with_name("mlmd-server")
    ports = ["--grpc-port", str(grpc_port), "--http-port", str(http_port)]
    command = [str(program), "serve", "--database", f"sqlite:///{folder / 'metadata.db'}", *ports]
    command += ["--artifacts", str(folder / "artifacts"), "--log-level", "warning"]
    print(f"A server on gRPC port {grpc_port}, its data in {folder}.\n", flush=True)
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder)
    try:
        await_ready(server)
        environment = os.environ | {"MLMD_SERVER": f"grpc://127.0.0.1:{grpc_port}", "OMP_NUM_THREADS": "1"}
        done = subprocess.run([sys.executable, str(HERE / "digits.py")], cwd=folder, env=environment, check=False)
    finally:
        server.terminate()
        server.wait(30)
    if done.returncode == 0:
        print(
            f"\nDrawings: {folder / 'champion.svg'} (confusion matrix), {folder / 'lineage.svg'} (where it came from)."
        )
        look = "from mlmd_client import Store; print(Store().runs('digits'))"
        print(f'Look around: MLMD_SERVER={folder} {sys.executable} -c "{look}"')
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main())
