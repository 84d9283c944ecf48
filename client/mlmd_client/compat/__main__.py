"""Run a program with `ml_metadata` leading to this client, as python itself would run it.

python -m mlmd_client.compat script.py [argument ...]
python -m mlmd_client.compat -m module [argument ...]
python -m mlmd_client.compat -c command [argument ...]
"""

import os
import runpy
import sys
from collections.abc import Sequence

from mlmd_client.compat.imports import install

USAGE = "usage: python -m mlmd_client.compat (script.py | -m module | -c command) [argument ...]"
WRONG_USE = 2


def main(arguments: Sequence[str]) -> int:
    """Run the program; what ends it goes through. Returns an exit status when it ends on its own."""
    if not arguments or arguments[0] in ("-h", "--help") or (arguments[0] in ("-m", "-c") and len(arguments) < 2):
        sys.stderr.write(f"{USAGE}\n")
        return 0 if arguments and arguments[0] in ("-h", "--help") else WRONG_USE
    install()
    if arguments[0] == "-m":
        sys.argv[:] = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    elif arguments[0] == "-c":
        sys.argv[:] = ["-c", *arguments[2:]]
        exec(compile(arguments[1], "<string>", "exec"), {"__name__": "__main__", "__builtins__": __builtins__})
    else:
        sys.argv[:] = arguments
        sys.path[0] = os.path.dirname(os.path.abspath(arguments[0]))
        runpy.run_path(arguments[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
