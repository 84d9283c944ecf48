"""Which web pages may call over HTTP, and by which names, where nothing is said: decision 0018.

A browser on the machine of a server carries pages of everybody. Where whoever reaches the port may do everything, and
only this machine reaches it, they are kept out; elsewhere the network or a token decides.
"""

from urllib.parse import urlsplit

from mlmd_api.rest.hosts import EVERYTHING, LOOPBACK

from mlmd_server.config import AUTO, Config


def cors_origins(config: Config) -> tuple[str, ...]:
    """Return the origins whose pages may call.

    A browser shows its client certificate for any page, so that one proves nothing about the page.
    """
    told = config.listen.cors_origins
    if told != (AUTO,):
        return told
    knows_pages = config.tokens is not None
    shows_for_any = config.listen.tls is not None and config.listen.tls.client_ca is not None
    return (LOOPBACK,) if not knows_pages and (config.is_loopback or shows_for_any) else (EVERYTHING,)


def allowed_hosts(config: Config) -> tuple[str, ...]:
    """Return the names that requests may be for; that of `--http-address` is always one."""
    told = config.listen.allowed_hosts
    if told == (AUTO,):
        told = (LOOPBACK,) if config.tokens is None and config.is_loopback else (EVERYTHING,)
    own = urlsplit(config.listen.http_address).hostname
    return (*told, own) if own else told
