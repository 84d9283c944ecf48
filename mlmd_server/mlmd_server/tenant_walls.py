"""What no root of others' bytes may lead to: the files and databases of other tenants, and the files of tokens.

A root is read with the server's own hands, so whoever calls for its tenant reads all that is below it.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mlmd_artifact_store.keys import RESERVED
from mlmd_artifact_store.locations import parse_location, tenant_prefix
from mlmd_artifact_store.s3_settings import endpoint_of
from mlmd_metadata_store.addresses import parse_url
from mlmd_schemas.errors import InvalidArgument

from mlmd_server.config import ArtifactsConfig, Config

_NOBODY = "\0"


@dataclass(frozen=True, slots=True)
class _Place:
    """A file, or all below a key: the object store and the bucket that it is in, none for files of this machine."""

    store: str
    bucket: str
    key: str
    """With a slash at its end, unless it is a file."""

    def below(self, prefix: str) -> "_Place":
        """Return the place of a prefix below this one."""
        return replace(self, key=f"{self.key}{prefix}")

    def covers(self, other: "_Place") -> bool:
        """Whether all of another place is below this one."""
        return (self.store, self.bucket) == (other.store, other.bucket) and other.key.startswith(self.key)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What tenants other than its own may not read."""

    tenant: str
    """`_NOBODY` where it is not for any tenant to read."""
    what: str
    place: _Place


def check_walls(config: Config, tenants_file: str, environment: Mapping[str, str]) -> None:
    """Raise InvalidArgument where a tenant could read what is another's below a root that it may read.

    What leads to one place by two names, a host's or a mount's, is not known here.
    """
    kept = list(_kept(config, tenants_file, environment))
    for tenant, where, root in _readers(config, tenants_file):
        place = _place(root, config.artifacts, environment)
        for one in kept:
            if place is None or one.tenant == tenant or not (place.covers(one.place) or one.place.covers(place)):
                continue
            verb = "covers" if place.covers(one.place) else "lies in"
            raise InvalidArgument(
                f"{where}: {root!r} {verb} {one.what} ({one.place.key}), which {_called(tenant)} could read there; "
                "name roots that have nothing of other tenants in them, nor tokens."
            )


def _readers(config: Config, tenants_file: str) -> Iterator[tuple[str, str, str]]:
    """Yield each root with the tenant that may read it, and with where that is said."""
    if config.database.url:
        for root in config.artifacts.external_roots:
            yield "", "artifacts-external-roots", root
    for name, tenant in config.tenants:
        for root in tenant.external_roots:
            yield name, f"tenants: external_roots of the tenant {name!r} in {tenants_file!r}", root


def _kept(config: Config, tenants_file: str, environment: Mapping[str, str]) -> Iterator[_Kept]:
    told = config.artifacts
    tenants = [(name, tenant.database, tenant.bucket_prefix or told.uri) for name, tenant in config.tenants]
    if config.database.url:
        tenants.append(("", config.database.url, told.uri))
    users: dict[_Place, set[str]] = {}
    for name, database, uri in tenants:
        if (place := _place(uri, told, environment)) is not None:
            users.setdefault(place, set()).add(name)
            yield _Kept(name, f"the files of {_called(name)}", place.below(tenant_prefix(name)))
        url = parse_url(database)
        if url.drivername == "sqlite" and url.database:
            yield _Kept(name, f"the database of {_called(name)}", _file(url.database))
    for place, names in users.items():
        user = next(iter(names)) if len(names) == 1 else _NOBODY
        yield _Kept(user, "the folder of the artifact store itself", place.below(f"{RESERVED}/"))
    if config.tokens is not None:
        yield _Kept(_NOBODY, "the file of tokens", _file(config.tokens))
    if tenants_file:
        yield _Kept(_NOBODY, "the file of tenants", _file(tenants_file))


def _place(uri: str, told: ArtifactsConfig, environment: Mapping[str, str]) -> _Place | None:
    """Return a place by its URI or as a folder's path; None for what cannot be one, which is told elsewhere."""
    if "://" not in uri:
        return _folder(uri)
    try:
        location = parse_location(uri)
        if location.scheme == "file":
            return _folder(location.key)
        endpoint = endpoint_of(location.endpoint or told.endpoint, location.region or told.region, environment)
    except InvalidArgument:
        return None
    host = endpoint.partition("://")[2].lower()
    store = "AWS" if host.endswith(".amazonaws.com") else host  # where a bucket's name is one of the world's
    key = location.key.strip("/")
    return _Place(store, location.bucket, f"{key}/" if key else "")


def _folder(path: str) -> _Place:
    return _Place("", "", f"{os.path.realpath(path).rstrip('/')}/")


def _file(path: str | Path) -> _Place:
    return _Place("", "", os.path.realpath(path))


def _called(tenant: str) -> str:
    return f"the tenant {tenant!r}" if tenant else "the default database"
