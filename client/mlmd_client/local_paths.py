"""Paths of this machine, told from URIs: files are sent from here and fetched to here, not to a bucket.

A `Path` that was made of a URI has lost one of its slashes, and would be taken for a folder named `s3:`.
"""

import re
from pathlib import Path

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+")


def uri_in(path: "str | Path") -> str:
    """Return the URI that was given in the place of a path, "" for a path; a drive of Windows begins one.

    >>> uri_in(Path("s3://bucket/new")), uri_in("models/s3"), uri_in("C:/models"), uri_in(Path("file:///srv"))
    ('s3://bucket/new', '', '', 'file:///srv')
    """
    text = str(path)
    found = _SCHEME.match(text)
    if found is None:
        return ""
    return f"{found[1]}:{'///' if found[1] == 'file' else '//'}{text[found.end() :]}"


def elsewhere(uri: str) -> str:
    """Return the sentence that says why the files at a URI are not sent."""
    return (
        f"{uri[:200]!r} is a URI, and files are sent from this machine; name a file or a folder here, or register what "
        f"is there as it is: `mlmd models register MODEL {uri[:200]}`."
    )
