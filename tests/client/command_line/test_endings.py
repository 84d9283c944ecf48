"""How the program itself ends: interrupted while it is still loading, and with nobody to read what it says."""

import os
import subprocess
import sys

_INTERRUPTED = """
import sys

class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == "mlmd_client.command_line.commands":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupted())
from mlmd_client.command_line import main
main()
"""


def test_an_interrupt_while_it_loads_shows_no_trace() -> None:
    ended = subprocess.run([sys.executable, "-c", _INTERRUPTED], capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "Aborted!\n")


def test_a_reader_who_has_seen_enough_is_no_failure(history: str) -> None:
    for words in (["ls"], ["lineage", "churn"], ["ls", "--json"]):
        reader, writer = os.pipe()
        os.close(reader)
        command = [sys.executable, "-m", "mlmd_client.command_line", "--server", history, *words]
        ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=120)
        os.close(writer)
        assert (ended.returncode, ended.stderr) == (0, ""), words
