"""What a URI below the old root of a store that was copied elsewhere is below its new root.

The keys below a root stay. A bucket has them literally in its URIs, a folder percent-encodes them.
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from mlmd_schemas.errors import InvalidArgument

from mlmd_artifact_store.locations import HEARD, parse_location, tenant_prefix

_KUBEFLOW, _BUCKET, _FOLDER = "minio://", "s3://", "file://"


@dataclass(frozen=True, slots=True)
class Relocation:
    """Two roots, each as a URI with a slash at its end; see `relocation`."""

    old: str
    new: str
    endpoint: str = ""
    """The host of the object store that the old root is in, "" when it was not said."""
    stays: str = ""
    """What is below this of the old root counts as moved already; "" when neither root is within the other."""

    def moved(self, uri: str, *, is_ours: bool = False) -> str | None:
        """Return what a URI is called below the new root, None when it is not below the old one.

        One that says an endpoint is below it when that is the old root's, or it `is_ours` whatever it says.
        """
        found = self._below(uri, is_ours=is_ours)
        if found is None:
            return None
        rest, query = found
        moved = self.new + self._spelled(rest)
        if uri.startswith(_KUBEFLOW) and moved.startswith(_BUCKET):
            moved = _KUBEFLOW + moved.removeprefix(_BUCKET)
        return f"{moved}?{query}" if query else moved

    def key_of(self, uri: str) -> str | None:
        """Return the key of a URI below the old root, which it has below the new one too; None when it is not below."""
        found = self._below(uri)
        if found is None:
            return None
        return _decoded(found[0]) if self.old.startswith(_FOLDER) else found[0]

    def _spelled(self, rest: str) -> str:
        """Return what follows the old root as it follows the new one."""
        was_folder, is_folder = self.old.startswith(_FOLDER), self.new.startswith(_FOLDER)
        if was_folder == is_folder:
            return rest
        return _decoded(rest) if was_folder else quote(rest, safe="/", errors="surrogateescape")

    def _below(self, uri: str, *, is_ours: bool = False) -> tuple[str, str] | None:
        """Return what follows the old root, and what the query says beside where the object store is."""
        plain, query = uri, ""
        if not self.old.startswith(_FOLDER):
            plain, _, query = uri.partition("?")
            if plain.startswith(_KUBEFLOW):
                plain = _BUCKET + plain.removeprefix(_KUBEFLOW)
        if not plain.startswith(self.old) or (self.stays and plain.startswith(self.stays)):
            return None
        if not query:
            return plain.removeprefix(self.old), ""
        said = parse_qsl(query, keep_blank_values=True)
        endpoints = {_host(value) for name, value in said if name == "endpoint" and value}
        if endpoints - {self.endpoint} and not is_ours:
            return None
        return plain.removeprefix(self.old), urlencode([pair for pair in said if pair[0] not in HEARD])


def relocation(said: str, new: str, tenant: str) -> Relocation:
    """Return the relocation from a root, said as `--artifacts` is, to the URI of another that ends with a slash.

    Nothing is asked of either. Raises InvalidArgument for what is no root, and for two of which one is within the other
    in such a way that nobody could tell what was moved from what was not.
    """
    old, endpoint = _root(said)
    stays = ""
    if new != old and new.startswith(old):
        stays = new
        _check_apart(new.removeprefix(old), old, new, tenant)
    elif new != old and old.startswith(new):
        between = old.removeprefix(new)
        stays = old + between
        _check_apart(between, old, new, tenant)
    return Relocation(old, new, endpoint, stays)


def _root(said: str) -> tuple[str, str]:
    if not said:
        raise InvalidArgument("from: empty; say where the files were, as s3://bucket/prefix, file:///path or a folder.")
    if "://" not in said:
        return _folder(said), ""
    try:
        location = parse_location(said)
    except InvalidArgument as error:
        raise InvalidArgument(f"from: {error.message.removeprefix('uri: ')}") from error
    if location.scheme == "file":
        return _folder(location.key), ""
    prefix = location.key.strip("/")
    return f"{_BUCKET}{location.bucket}/{f'{prefix}/' if prefix else ''}", _host(location.endpoint)


def _folder(path: str) -> str:
    return f"{Path(path).absolute().as_uri()}/"


def _check_apart(between: str, old: str, new: str, tenant: str) -> None:
    folder, path = tenant_prefix(tenant), _decoded(between) if old.startswith(_FOLDER) else between
    if folder.startswith(path) or path.startswith(folder):
        raise InvalidArgument(
            f"from: of {old!r} and {new!r} one is within the other, and {folder!r} is where the files are below "
            "each, so nobody could tell what was moved from what was not; move by a third place."
        )


def _decoded(rest: str) -> str:
    return unquote(rest, errors="surrogateescape")


def _host(endpoint: str) -> str:
    return urlsplit(endpoint if "://" in endpoint else f"//{endpoint}").netloc.lower()
