"""The tables of a store: MLMD's own fifteen, and ours, all of which are in `own.METADATA`."""

from mlmd_schemas.tables import registry

__all__ = ["registry"]
