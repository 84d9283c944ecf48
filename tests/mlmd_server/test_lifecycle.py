"""The wish that a serving process ends, however it comes."""

import subprocess
import sys

import pytest

WAITING = """
import os, signal, sys, threading, time
from mlmd_server.lifecycle import Ending
from mlmd_server.signals import Reason

ending = Ending()
ending.listen()

def other() -> None:
    while sys._current_frames()[threading.main_thread().ident].f_code is not Ending.wait.__code__:
        time.sleep(0.001)
    {how}

threading.Thread(target=other).start()
print(ending.wait().words)
"""
WAYS = {
    "a signal to the process": ("os.kill(os.getpid(), signal.SIGTERM)", "SIGTERM came"),
    "a signal to another thread": ("signal.pthread_kill(threading.get_ident(), signal.SIGTERM)", "SIGTERM came"),
    "an interruption": ("signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)", "SIGINT came"),
    "a thread that asks": ("ending.ask(Reason('somebody asked'))", "somebody asked"),
}


@pytest.mark.parametrize(("how", "why"), WAYS.values(), ids=WAYS.keys())
def test_the_wish_is_heard_with_its_reason(how: str, why: str) -> None:
    said = subprocess.run(
        [sys.executable, "-c", WAITING.format(how=how)], capture_output=True, text=True, timeout=120, check=False
    )
    assert (said.returncode, said.stdout, said.stderr) == (0, f"{why}\n", "")
