"""Which parts of a node an update touches (mlmd-write contract, 3.5)."""

from collections.abc import Iterable
from dataclasses import dataclass

MAPS = ("custom_properties", "properties")


@dataclass(frozen=True, slots=True)
class MapMask:
    """What a mask says of one property map: the whole of it, or some keys; neither leaves the map alone."""

    whole: bool = False
    keys: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class UpdateMask:
    """A parsed mask. `everything` is the absent or empty mask, with which an update replaces the node."""

    everything: bool
    fields: frozenset[str]
    properties: MapMask
    custom_properties: MapMask

    def touches(self, field: str) -> bool:
        """Return whether a scalar field is copied from the request."""
        return self.everything or field in self.fields


def parse_mask(paths: Iterable[str]) -> UpdateMask:
    """Return the mask for a request's paths; unknown paths are passed over, as the contract has it."""
    listed = list(paths)
    if not listed:
        return EVERYTHING
    maps = {name: [path for path in listed if path.startswith(name)] for name in MAPS}
    return UpdateMask(
        False,
        frozenset(path for path in listed if not path.startswith(MAPS)),
        _map_mask("properties", maps["properties"]),
        _map_mask("custom_properties", maps["custom_properties"]),
    )


def _map_mask(name: str, paths: Iterable[str]) -> MapMask:
    listed = list(paths)
    if name in listed:
        return MapMask(whole=True)
    return MapMask(keys=frozenset(path.removeprefix(name + ".") for path in listed))


def mask_of_keys(properties: Iterable[str] = (), custom_properties: Iterable[str] = ()) -> UpdateMask:
    """Return the mask that touches these properties and custom properties, and nothing else."""
    maps = (MapMask(keys=frozenset(names)) for names in (properties, custom_properties))
    return UpdateMask(False, frozenset(), *maps)


EVERYTHING = UpdateMask(True, frozenset(), MapMask(whole=True), MapMask(whole=True))
