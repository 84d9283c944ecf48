"""Regenerate `mlmd_schemas.pb` from `schemas/mlmd_schemas/proto` with grpcio-tools 1.62.

Old generated code loads on every protobuf from 4.25 on, new generated code only on the newest, so the
generator is pinned. `--check` writes nothing and exits 1 when a committed file would change.
"""

import re
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent / "schemas" / "mlmd_schemas"
PROTO, PB = ROOT / "proto", ROOT / "pb"
MOVED = {"ml_metadata.proto": "mlmd_schemas.pb", "mlmd.v1": "mlmd_schemas.pb.v1"}
FOLDERS = {"ml_metadata/proto": PB, "mlmd/v1": PB / "v1"}


def rewritten(source: str) -> str:
    """Return generated source with its imports pointing into `mlmd_schemas.pb`."""
    for old, new in MOVED.items():
        source = re.sub(rf"^from {re.escape(old)} import", f"from {new} import", source, flags=re.M)
        source = re.sub(rf"^import {re.escape(old)}\.", f"import {new}.", source, flags=re.M)
    return source


def generate(into: Path) -> None:
    """Run protoc for every file and leave the raw output in `into`."""
    include = Path(protoc.__file__).parent / "_proto"
    files = [str(path.relative_to(PROTO)) for path in sorted(PROTO.rglob("*.proto"))]
    arguments = ["protoc", f"-I{PROTO}", f"-I{include}"]
    arguments += [f"--{kind}_out={into}" for kind in ("python", "grpc_python", "pyi")]
    if protoc.main(arguments + files):
        raise SystemExit("protoc failed")


def main() -> int:
    """Regenerate, or compare with `--check`; returns the exit code."""
    check, changed = "--check" in sys.argv, []
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        for folder, target in FOLDERS.items():
            for path in sorted((Path(scratch) / folder).glob("*.py*")):
                source, committed = rewritten(path.read_text()), target / path.name
                if committed.exists() and committed.read_text() == source:
                    continue
                changed.append(committed.name)
                if not check:
                    committed.write_text(source)
    print("\n".join(changed) if changed else "generated code is up to date")
    return int(check and bool(changed))


if __name__ == "__main__":
    raise SystemExit(main())
