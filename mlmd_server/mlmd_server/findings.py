"""Where the commands of care tell what they found: lines on standard output, what it came to on standard error."""

import json
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Output:
    """Where findings go."""

    as_json: bool
    tenant: str

    def line(self, text: str, **fields: object) -> None:
        """Print one finding."""
        if self.as_json:
            print(json.dumps({"tenant": self.tenant, **fields}, ensure_ascii=False), flush=True)
        else:
            print(f"{self.tenant}: {text}" if self.tenant else text, flush=True)

    def summary(self, text: str) -> None:
        """Print what it came to."""
        print(f"mlmd-server: {f'tenant {self.tenant}: ' if self.tenant else ''}{text}", file=sys.stderr, flush=True)
