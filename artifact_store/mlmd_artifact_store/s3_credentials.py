"""Who we are to an object store: where keys are found, and when they are looked for again.

Looked at, in order: the settings; `AWS_ACCESS_KEY_ID` and `MINIO_ACCESS_KEY` with their secrets; AWS's credentials
file; a role that the environment names; on AWS the role of the machine. The first that has keys counts. A server
outlives its keys: a role is asked again before they end, and the file is read again when it changed.
"""

import configparser
import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from minio.credentials.credentials import Credentials
from minio.credentials.providers import AWSConfigProvider, EnvAWSProvider, EnvMinioProvider, Provider, StaticProvider
from mlmd_schemas.errors import FailedPrecondition

from mlmd_artifact_store.s3_roles import RoleCredentials, machines_role, named_role
from mlmd_artifact_store.s3_settings import S3Settings

_LOG = logging.getLogger("mlmd.server")
_LOOK_SECONDS = 1.0
"""How often the file is looked at."""
_PAIRS = (
    (("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"), ("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY")),
    (("MINIO_ACCESS_KEY",), ("MINIO_SECRET_KEY",)),
)
"""The variables of keys that belong together, each by its names."""


def credentials_of(settings: S3Settings) -> Provider:
    """Return what gives minio-py and our own signatures the keys of the moment.

    Its `retrieve` raises FailedPrecondition when there are none, and Unavailable when a role does not give any.
    """
    if settings.access_key:
        return StaticProvider(settings.access_key, settings.secret_key, settings.session_token or None)
    providers: list[Provider] = [EnvAWSProvider(), EnvMinioProvider(), FileCredentials()]
    if role := named_role(settings.ca_file):
        providers.append(RoleCredentials(role))
    elif (urlsplit(settings.endpoint).hostname or "").endswith(".amazonaws.com"):
        providers.append(RoleCredentials(machines_role))  # elsewhere its address leads nowhere, or to somebody else's
    return _FirstOf(providers)


class _FirstOf(Provider):
    """The keys of the first provider that has any; a ValueError says that one has none."""

    def __init__(self, providers: Sequence[Provider]) -> None:
        self._providers = providers

    def retrieve(self) -> Credentials:
        """Return keys; raises FailedPrecondition and Unavailable."""
        hints = list(_halves())
        for provider in self._providers:
            try:
                return provider.retrieve()
            except ValueError as error:
                if isinstance(provider, FileCredentials | RoleCredentials):
                    hints.append(str(error))
        raise FailedPrecondition(
            "artifacts: no credentials for the object store were found "
            f"({', '.join(hints)}); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or MINIO_ACCESS_KEY and "
            "MINIO_SECRET_KEY, or name a file of AWS's with AWS_SHARED_CREDENTIALS_FILE."
        )


def _halves() -> Iterator[str]:
    """Say which variables are set without those that belong to them, for which they are passed over."""
    for names in _PAIRS:
        there = [next((name for name in either if os.environ.get(name)), "") for either in names]
        if any(there) and not all(there):
            lacking = next(either[0] for either, name in zip(names, there, strict=True) if not name)
            yield f"{''.join(there)} is set and {lacking} is not"


class FileCredentials(Provider):
    """A profile of AWS's credentials file, which whoever renews keys may replace or write anew at any time."""

    def __init__(self) -> None:
        """Take file and profile from AWS_SHARED_CREDENTIALS_FILE and AWS_PROFILE."""
        self._path = os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or os.path.expanduser("~/.aws/credentials")
        self._profile = os.environ.get("AWS_PROFILE") or "default"
        self._provider = AWSConfigProvider(self._path, self._profile)
        self._lock = threading.Lock()
        self._looked = float("-inf")
        self._seen: tuple[int, int, int] | None = None
        self._held: Credentials | None = None
        self._hint = f"{self._path} is not there"

    def retrieve(self) -> Credentials:
        """Return the keys as they are in the file; raises ValueError, which says why, when it never had any."""
        with self._lock:
            if time.monotonic() - self._looked >= _LOOK_SECONDS:
                self._look()
                self._looked = time.monotonic()
            if self._held is None:
                raise ValueError(self._hint)
            return self._held

    def _look(self) -> None:
        try:
            found = os.stat(self._path)
        except OSError:
            return  # while it is replaced, the keys that it had are the best there are
        seen = (found.st_mtime_ns, found.st_size, found.st_ino)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            open(self._path, "rb").close()  # what cannot be opened is passed over in silence by minio-py
            self._held = self._provider.retrieve()
        except OSError as error:
            self._miss(f"{self._path} cannot be read: {error.strerror}")
        except configparser.Error:
            self._miss(f"{self._path} is no file of AWS's credentials")
        except ValueError:
            self._miss(f"{self._path} has no keys of the profile {self._profile!r}")

    def _miss(self, hint: str) -> None:
        self._hint = hint
        if self._held is not None:
            _LOG.warning("artifacts: %s; the keys that it had before are used on.", hint)
