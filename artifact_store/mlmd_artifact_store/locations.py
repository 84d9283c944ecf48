"""Where an artifact's files are: plain URIs, readable by whoever reads the store.

An artifact's files live under `<tenant>/<type>/<name>/<id>/`, each segment percent-encoded, `_` where there is no
name. In a bucket that is literally the key: `%20` in the URI is `%20` in the key. Kubeflow's `minio://` and `s3://`
URIs are read too, with the query strings that it writes on them.
"""

import hashlib
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from mlmd_metadata_store.named_files import RESTORE_MARK
from mlmd_schemas.errors import InvalidArgument

from mlmd_artifact_store.keys import is_key

LONGEST_SEGMENT = 80
_DIGEST_DIGITS = 16
UNNAMED = "_"
MARK = RESTORE_MARK
"""Between the id and the mark of a prefix that is not the plain one."""
_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off", "")
_PATH_STYLE = ("s3ForcePathStyle", "forcePathStyle", "use_path_style", "pathstyle")
_ADDRESS = ":/[]"
"""What of an address stays as it is in a query string."""
_INSECURE = ("disableSSL", "disable_https")
HEARD = ("region", "endpoint", *_PATH_STYLE, *_INSECURE)
"""What a query string may say."""


def encoded_segment(name: str) -> str:
    """Return a name as one safe segment of a URI, a key and a path.

    Letters, digits, `-`, `.`, `_` and `~` stay; more than 80 characters are cut, and a digest of the whole tells those
    apart. No two names give the same segment but by a collision of that digest.
    """
    if not name:
        return UNNAMED
    if name in (UNNAMED, ".", ".."):
        return "".join(f"%{ord(character):02X}" for character in name)
    encoded = quote(name, safe="~", errors="surrogatepass")
    if encoded.startswith(".mlmd"):
        encoded = f"%2E{encoded[1:]}"
    if len(encoded) <= LONGEST_SEGMENT:
        return encoded
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_DIGITS]
    head = encoded[: LONGEST_SEGMENT - _DIGEST_DIGITS - 1]
    if "%" in head[-2:]:  # half a percent-encoded byte
        head = head[: head.rindex("%")]
    return f"{head}~{digest}"


def tenant_prefix(tenant: str) -> str:
    """Return the prefix of a tenant's keys, with a slash at its end."""
    return f"{encoded_segment(tenant)}/"


def artifact_prefix(tenant: str, type_name: str, name: str, artifact_id: int) -> str:
    """Return the prefix of an artifact's keys, with a slash at its end."""
    segments = (*map(encoded_segment, (tenant, type_name, name)), str(artifact_id))
    return "/".join(segments) + "/"


def restored_prefix(plain: str) -> str:
    """Return a prefix that nobody had before, for files that come back to an artifact: a mark follows the plain one.

    The plain one may be another store's, because a copy of a database has the same ids.
    """
    return f"{restored_stem(plain)}{secrets.token_hex(4)}/"


def restored_stem(prefix: str) -> str:
    """Return what the prefixes of all restores of an artifact begin with, from one of its prefixes, plain or marked.

    No other artifact's begin so: the mark ends the id.
    """
    names, _, last = prefix.rstrip("/").rpartition("/")
    return f"{names}/{last.partition(MARK)[0]}{MARK}"


def is_marked(prefix: str) -> bool:
    """Whether a prefix is that of a restore."""
    return MARK in prefix.rstrip("/").rpartition("/")[2]


def artifact_of_key(key: str) -> int:
    """Return the artifact in the key of a blob, `<tenant>/<type>/<name>/<id>[~mark]/<path>`; 0 when there is none."""
    segments = key.split("/", 4)
    digits = segments[3].partition(MARK)[0] if len(segments) == 5 else ""
    return int(digits) if digits.isdecimal() else 0


def prefix_of_uri(uri: str, root: str, tenant: str, artifact_id: int) -> str:
    """Return the prefix of keys that an artifact's own uri says below a root; "" when it says another place.

    The root ends with a slash. A `file://` URI has its keys percent-encoded, one of an object store as they are.
    """
    if not uri.startswith(root):
        return ""
    key = uri.removeprefix(root)
    key = unquote(key) if root.startswith("file:") else key
    is_own = key.startswith(tenant_prefix(tenant)) and artifact_of_key(key) == artifact_id
    return key if is_own and key.endswith("/") and is_key(key[:-1]) else ""


def as_folder(uri: str) -> str:
    """Return a URI with a slash at the end of its path.

    Of a query string it keeps the `endpoint`, which says in which object store that is, and nothing else.
    """
    plain, _, query = uri.partition("?")
    endpoint = dict(parse_qsl(query)).get("endpoint", "")
    slash = "" if plain.endswith("/") else "/"
    return f"{plain}{slash}{f'?endpoint={quote(endpoint, safe=_ADDRESS)}' if endpoint else ''}"


def folder_and_name(uri: str) -> tuple[str, str]:
    """Return the folder that the last segment of a URI is in, as `as_folder` does, and that segment."""
    plain, mark, query = uri.partition("?")
    folder, _, name = plain.rpartition("/")
    return as_folder(f"{folder}/{mark}{query}"), name


@dataclass(frozen=True, slots=True)
class Location:
    """A URI taken apart. `scheme` is `s3` (for `minio://` too) or `file`; `bucket` is empty for files.

    `key` is the key or the prefix in the bucket, the absolute path for files. The rest is what a query string says:
    `None` and `""` where it says nothing.
    """

    scheme: str
    bucket: str
    key: str
    region: str = ""
    endpoint: str = ""
    secure: bool | None = None
    path_style: bool | None = None
    others: tuple[tuple[str, str], ...] = field(default=())


def parse_location(uri: str) -> Location:
    """Return what a `s3://`, `minio://` or `file://` URI says; raises InvalidArgument for any other."""
    shown = f"uri: {uri[:80]!r}"
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme.lower() not in ("s3", "minio", "file"):
        raise InvalidArgument(f"{shown} is none of s3://bucket/key, minio://bucket/key and file:///path.")
    if scheme.lower() == "file":
        return Location("file", "", _file_path(uri, shown))
    address, _, query = rest.partition("?")
    bucket, _, key = address.partition("/")
    if not bucket:
        raise InvalidArgument(f"{shown} names no bucket; write {scheme}://bucket/key.")
    return _with_query(Location("s3", bucket, key), query, shown)


def _file_path(uri: str, shown: str) -> str:
    parts = urlsplit(uri)
    if parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
        raise InvalidArgument(
            f"{shown} names another host, a query or a fragment; write file:///path, percent-encoded."
        )
    path = unquote(parts.path, errors="surrogateescape")
    if not path.startswith("/") or "\0" in path or ".." in Path(path).parts:
        raise InvalidArgument(f"{shown} is no absolute path without '..'; write file:///path.")
    return path


def _with_query(location: Location, query: str, shown: str) -> Location:
    said = dict(parse_qsl(query, keep_blank_values=True))
    path_style = _flag(said, _PATH_STYLE, shown)
    insecure = _flag(said, _INSECURE, shown)
    return Location(
        location.scheme,
        location.bucket,
        location.key,
        said.get("region", ""),
        said.get("endpoint", ""),
        None if insecure is None else not insecure,
        path_style,
        tuple(sorted((name, value) for name, value in said.items() if name not in HEARD)),
    )


def _flag(said: dict[str, str], names: tuple[str, ...], shown: str) -> bool | None:
    for name in names:
        if name in said:
            value = said[name].lower()
            if value not in (*_TRUE, *_FALSE):
                raise InvalidArgument(f"{shown} says {name}={said[name]!r}, which is neither true nor false.")
            return value in _TRUE
    return None
