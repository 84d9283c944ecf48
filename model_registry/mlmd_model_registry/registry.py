"""The registry of one tenant: what needs more than one transaction, beside the calls of `methods`."""

import time
from collections.abc import Iterator

from mlmd_artifact_store.requests import Requests
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import Caller
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from mlmd_model_registry.changes import TOPIC
from mlmd_model_registry.generations import next_generation
from mlmd_model_registry.methods import CREATE_WEBHOOK
from mlmd_model_registry.public_addresses import check_destination
from mlmd_model_registry.resolution import Resolved, resolve
from mlmd_model_registry.resolve_cache import Kept, ResolveCache
from mlmd_model_registry.watching import Bell, watch


def announce_changes(store: Store) -> Store:
    """Let caches and watchers hear of every change of the registry that this store commits; return the store."""

    def committed(topics: set[str]) -> None:
        if TOPIC in topics:
            next_generation()

    store.database.committed = committed
    return store


class Registry:
    """Resolving and watching; safe to use from many threads."""

    def __init__(self, store: Store, requests: Requests, *, private_webhooks: bool = False) -> None:
        self.store = store
        self._private_webhooks = private_webhooks
        self._requests = requests
        self._cache = ResolveCache()
        self._bell = Bell(store)
        announced = store.database.committed

        def committed(topics: set[str]) -> None:
            if announced is not None:
                announced(topics)
            if TOPIC in topics:
                self._bell.ring()

        store.database.committed = committed

    def resolve(self, request: v1.ResolveModelRequest, caller: Caller) -> v1.ResolveModelResponse:
        """Return the version that a URI names, from the cache when that surely or nearly holds."""
        return self.resolve_kept(request, caller).response

    def peek(self, request: v1.ResolveModelRequest) -> Kept | None:
        """Return the answer when it is in the cache; takes no time."""
        return self._cache.peek((request.uri, request.as_of, request.with_requests))

    def resolve_kept(self, request: v1.ResolveModelRequest, caller: Caller) -> Kept:
        """Return the same with its JSON."""
        key = (request.uri, request.as_of, request.with_requests)
        return self._cache.get(key, lambda: self._resolved(request, caller))

    def _resolved(self, request: v1.ResolveModelRequest, caller: Caller) -> v1.ResolveModelResponse:
        found: Resolved = self.store.database.read(caller, lambda tx: resolve(tx, request))
        response, manifest = found.response, found.manifest
        if request.with_requests and manifest is not None and not manifest.is_external:
            signed = self._requests.fetch_requests(manifest, [file.path for file in response.files])
            for file, one in zip(response.files, signed, strict=True):
                file.url, file.expires_ms = one.url, one.expires_ms
                file.headers.update(one.headers)
        return response

    def watch(self, request: v1.WatchModelsRequest, caller: Caller) -> Iterator[v1.WatchModelsResponse]:
        """Yield every move of the aliases of models from a cursor on."""
        return watch(self.store, self._bell, caller, request)

    def create_webhook(self, request: v1.CreateWebhookRequest, caller: Caller) -> v1.CreateWebhookResponse:
        """Keep an address that moves are posted to; raises InvalidArgument for one that may not be posted to."""
        check_destination(request.url, private_too=self._private_webhooks)
        made: v1.CreateWebhookResponse = self.store.call(CREATE_WEBHOOK, caller, request)
        return made


def etag(response: v1.ResolveModelResponse, *, with_requests: bool) -> str:
    """Return the entity tag of an answer; signed requests get a new one while the old are good for some time yet."""
    return f'"{response.digest}-{int(time.time()) // 1200}"' if with_requests else f'"{response.digest}"'
