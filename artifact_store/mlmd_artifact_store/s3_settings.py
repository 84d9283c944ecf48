"""Where an S3 store is and who we are there: from options, the environment, and AWS's and MinIO's usual variables."""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.shown import shown

DEFAULT_REGION = "us-east-1"
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION", "MINIO_REGION")


@dataclass(frozen=True, slots=True)
class S3Settings:
    """How a bucket is reached. Addresses are scheme and host with the port if it is not the scheme's own.

    `public_endpoint` is the address that URLs are signed for when clients see the store elsewhere than we do. Without
    `access_key` the credentials are looked for in the environment and AWS's files. `path_style` None: virtual hosts on
    AWS, paths elsewhere. `ca_file` is a PEM file of authorities to trust instead of the system's. A store that is busy
    or breaks off is asked three times more, after waits that begin at twice `busy_seconds` and double.
    With `delete_versions` nothing that is deleted is kept as an older version, in a bucket that keeps them.
    """

    bucket: str
    endpoint: str = ""
    region: str = ""
    access_key: str = ""
    secret_key: str = ""
    session_token: str = ""
    path_style: bool | None = None
    ca_file: str = ""
    public_endpoint: str = ""
    busy_seconds: float = 0.2
    delete_versions: bool = False

    @property
    def uses_paths(self) -> bool:
        """Whether the bucket is the first segment of the path and not a part of the host's name."""
        if self.path_style is not None:
            return self.path_style
        return not (urlsplit(self.endpoint).hostname or "").endswith(".amazonaws.com") or "." in self.bucket

    @property
    def virtual_host(self) -> str:
        """The bucket's own host, empty where the path names the bucket."""
        return "" if self.uses_paths else f"{self.bucket}.{urlsplit(self.endpoint).hostname or ''}"


def completed(settings: S3Settings, environment: Mapping[str, str] = os.environ) -> S3Settings:
    """Return the settings with what they leave open taken from the environment; raises InvalidArgument.

    Looked at, in order: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, `MINIO_ENDPOINT`; `AWS_REGION`,
    `AWS_DEFAULT_REGION`, `MINIO_REGION`; `AWS_CA_BUNDLE`, `SSL_CERT_FILE`.
    """

    region = settings.region or _first(environment, *_REGIONS) or DEFAULT_REGION
    endpoint = endpoint_of(settings.endpoint, region, environment)
    public = _address(settings.public_endpoint, "public endpoint") if settings.public_endpoint else endpoint
    ca_file = settings.ca_file or _first(environment, "AWS_CA_BUNDLE", "SSL_CERT_FILE")
    if ca_file:
        _check_authorities(ca_file)
    if bool(settings.access_key) != bool(settings.secret_key):
        raise InvalidArgument("artifacts: access key and secret key belong together; give both or neither.")
    return replace(settings, region=region, endpoint=endpoint, public_endpoint=public, ca_file=ca_file)


def endpoint_of(endpoint: str, region: str = "", environment: Mapping[str, str] = os.environ) -> str:
    """Return scheme and host of an object store, from the environment or AWS's where none is said.

    Raises InvalidArgument for what is no address.
    """
    said = endpoint or _first(environment, "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "MINIO_ENDPOINT")
    region = region or _first(environment, *_REGIONS) or DEFAULT_REGION
    return _address(said or f"https://s3.{region}.amazonaws.com", "endpoint")


def _first(environment: Mapping[str, str], *names: str) -> str:
    return next((environment[name] for name in names if environment.get(name)), "")


def _check_authorities(ca_file: str) -> None:
    """Raise InvalidArgument for a file that has no certificates, by which nothing would be trusted."""
    start = f"artifacts: the file of certificate authorities {shown(ca_file)}"
    if not Path(ca_file).is_file():
        raise InvalidArgument(f"{start} is not there, or is no file.")
    try:
        ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise InvalidArgument(f"{start} cannot be used ({error}); it has to be certificates in PEM.") from error


def _address(text: str, what: str) -> str:
    """Return scheme and host, without the port that goes without saying; raises InvalidArgument."""
    given = text if "://" in text else f"https://{text}"
    parts = urlsplit(given)
    if "@" in parts.netloc:  # which is not shown: it may be a secret key
        raise InvalidArgument(
            f"artifacts: the {what} has a user or keys before its host; say scheme://host[:port], and the keys by "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    try:
        port = parts.port
    except ValueError:
        raise InvalidArgument(f"artifacts: the {what} {shown(text)} has a port that is none.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise InvalidArgument(f"artifacts: the {what} {shown(text)} is not scheme://host[:port] with http or https.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = 443 if parts.scheme == "https" else 80
    return f"{parts.scheme}://{host}" + (f":{port}" if port and port != usual else "")
