"""Telling the process that something of the registry changed, once that is committed."""

from mlmd_metadata_store.transaction import Transaction

TOPIC = "registry"
"""What transactions that change models, versions, aliases, gates or deployments are marked with."""


def touch(tx: Transaction) -> None:
    """Mark the transaction: when it is committed, cached answers are forgotten and watchers look."""
    tx.topics.add(TOPIC)
