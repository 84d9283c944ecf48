"""A program whose standard error is a real terminal, which remembers everything that was drawn on it."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Drawn:
    """What a program left: its exit status, its standard output, and what it wrote on the terminal."""

    status: int
    out: str
    terminal: str

    @property
    def states(self) -> list[str]:
        """Every state of the line that was drawn over and over, in order."""
        return [state.strip() for state in self.terminal.replace("\n", "\r").split("\r") if state.strip()]


def on_terminal(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    columns: int,
    meanwhile: Callable[[], None] = lambda: None,
    *,
    whole: bool = False,
) -> Drawn:
    """Run a program on a terminal of so many columns; `meanwhile` runs beside it.

    With `whole` its standard output is the terminal too, as when a person types the command.
    """
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    pieces: list[bytes] = []

    def watch() -> None:
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:  # nobody has the other end any more
                return
            if not piece:
                return
            pieces.append(piece)

    watching = threading.Thread(target=watch)
    watching.start()
    out_to = slave if whole else subprocess.PIPE
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out_to, stderr=slave, text=True)
    os.close(slave)
    try:
        meanwhile()
        out, _ = process.communicate(timeout=240)
    finally:
        process.kill()
        process.wait()
        watching.join(60)
        os.close(master)
    return Drawn(process.returncode, out or "", b"".join(pieces).decode())
