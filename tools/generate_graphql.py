"""Writes schemas/mlmd_schemas/graphql/schema.graphql from the code, or with --check fails when that would change it."""

import sys
from pathlib import Path

from mlmd_api.graphql.schema import sdl

FILE = Path(__file__).resolve().parents[1] / "schemas" / "mlmd_schemas" / "graphql" / "schema.graphql"


def main(arguments: list[str]) -> int:
    """Write the schema; with --check return 1 when the file is another."""
    text = sdl()
    if arguments == ["--check"]:
        if FILE.read_text("utf-8") == text:
            return 0
        print(f"{FILE} is not what the code says; run `make graphql`.", file=sys.stderr)
        return 1
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
