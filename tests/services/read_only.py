"""A process on a root file system that is read-only, as in the container image's default: one folder can be written."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.services.missing import missing

DATA = Path("/mnt/data")
"""Where the process finds the folder that it may write."""

_SET_UP = """
set -e
mount -t tmpfs -o mode=755 none /mnt
mkdir /mnt/data
mount --bind "$1" /mnt/data
mounts=$(awk '$2 !~ "^/(proc|sys|dev/pts|mnt)" && $2 != "/" {print $2}' /proc/self/mounts | sort -u)
mount -o remount,ro,bind /
for mount in $mounts; do mount -o remount,ro,bind "$mount" 2>/dev/null || true; done
if [ "$2" = rw ]; then mount -t tmpfs -o mode=1777 none /dev/shm; fi
cd /
shift 2
exec setpriv --reuid 1000 --regid 1000 --clear-groups --inh-caps +dac_read_search --ambient-caps +dac_read_search \
    env --unset=TMPDIR HOME=/nonexistent PYTHONDONTWRITEBYTECODE=1 "$@"
"""


def read_only(folder: Path, command: Sequence[str], *, shared_memory: bool = True) -> list[str]:
    """Return the command line that runs a command as uid 1000, who may write `folder` (as `DATA`) alone.

    Its working directory is the root. Containers have /dev/shm beside, which may be left out. The command reads what
    root may, since Python may be root's. Skips where namespaces of mounts are not allowed.
    """
    unshare = ["unshare", "--mount", "--propagation", "private"]
    done = subprocess.run([*unshare, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, text=True)
    if done.returncode:
        missing(f"a root file system that is read-only is not to be had: {done.stderr.strip()}")
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    return [*unshare, "bash", "-c", _SET_UP, "bash", str(folder), "rw" if shared_memory else "ro", *command]
