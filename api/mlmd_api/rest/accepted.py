"""What a client says of which answers it takes: `Accept` and `Accept-Encoding` (RFC 9110, section 12.4.2)."""

import re

_WEIGHT = re.compile(r"q=(0(?:\.\d*)?|1(?:\.0*)?)", re.ASCII)


def weight_of(name: str, accepted: str) -> float:
    """Return how much a client likes what it names, from 0, not at all, to 1; 0 for what it does not name.

    `name` is lower-case. A weight that is none counts as 1, which is also that of a name without one.
    """
    for item in accepted.lower().split(","):
        said, *parameters = (part.strip() for part in item.split(";"))
        if said == name:
            weights = (_WEIGHT.fullmatch(parameter) for parameter in parameters)
            return next((float(found[1]) for found in weights if found), 1.0)
    return 0.0
