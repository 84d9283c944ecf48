"""minio-py's client, and the connections that it shares with the requests that we send ourselves."""

from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.credentials.providers import Provider
from mlmd_schemas.errors import InvalidArgument

from mlmd_artifact_store.s3_retries import Retries
from mlmd_artifact_store.s3_settings import S3Settings

_CONNECTIONS = 32


def connections_of(settings: S3Settings) -> urllib3.PoolManager:
    """Return the connections to an object store, by which requests that broke off are made again."""
    return urllib3.PoolManager(
        maxsize=_CONNECTIONS,
        timeout=urllib3.Timeout(connect=10, read=60),
        retries=Retries(
            total=3,
            redirect=False,  # what is signed for one address is not taken at another
            backoff_factor=settings.busy_seconds,
            status_forcelist=[500, 502, 503, 504],
            raise_on_status=False,
        ),
        cert_reqs="CERT_REQUIRED",
        ca_certs=settings.ca_file or None,
    )


def client_of(settings: S3Settings, provider: Provider, http: urllib3.PoolManager) -> Minio:
    """Return minio-py's client on these connections; raises InvalidArgument for an endpoint that it cannot use."""
    address = urlsplit(settings.endpoint)
    try:
        client = Minio(
            address.netloc,
            secure=address.scheme == "https",
            region=settings.region,
            http_client=http,
            credentials=provider,
        )
    except ValueError as error:
        raise InvalidArgument(f"artifacts: the endpoint {settings.endpoint!r} cannot be used: {error}.") from error
    if settings.uses_paths:
        client.disable_virtual_style_endpoint()
    else:
        client.enable_virtual_style_endpoint()
    return client
