"""Taking a database back to an older schema version."""

import logging

from mlmd_schemas.pb import metadata_store_pb2 as pb

from mlmd_client.metadata_store import errors
from mlmd_client.transport import CallError, call_entry_point

_LOG = logging.getLogger("mlmd.client")


def downgrade_schema(config: pb.ConnectionConfig, downgrade_to_schema_version: int) -> None:
    """Take the database of a ConnectionConfig down to a schema version, for an older library.

    Raises InvalidArgumentError for a version that is negative or above the library's, RuntimeError when the downgrade
    fails; nothing is changed then.
    """
    if downgrade_to_schema_version < 0:
        raise errors.make_exception(
            f"downgrade_to_schema_version not specified: {downgrade_to_schema_version} is below 0; give a version.",
            errors.INVALID_ARGUMENT,
        )
    try:
        call_entry_point("connection_config", config, False, downgrade_to_schema_version).close()
    except CallError as error:
        if error.message.startswith("MLMD cannot be downgraded to schema_version"):
            raise errors.make_exception(error.message, errors.INVALID_ARGUMENT) from error
        if error.code != errors.CANCELLED:  # which is how a downgrade that was done ends
            raise RuntimeError(error.message) from error
        _LOG.info("%s", error.message)
