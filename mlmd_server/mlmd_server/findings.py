"""Where the commands of care tell what they found: lines on standard output, what it came to on standard error."""

import json
from dataclasses import dataclass

from mlmd_server.broken_off import tell


@dataclass(frozen=True, slots=True)
class Output:
    """Where findings go."""

    as_json: bool
    tenant: str

    def line(self, text: str, **fields: object) -> None:
        """Print one finding; raises OutputLost."""
        if self.as_json:
            tell(json.dumps({"tenant": self.tenant, **fields}, ensure_ascii=False))
        else:
            tell(f"{self.tenant}: {text}" if self.tenant else text)

    def summary(self, text: str) -> None:
        """Print what it came to; raises OutputLost."""
        tell(f"mlmd-server: {f'tenant {self.tenant}: ' if self.tenant else ''}{text}", aside=True)
