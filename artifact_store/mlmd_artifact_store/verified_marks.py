"""Files that were read whole and are as declared, noted many in one transaction.

Thousands of small files are downloaded at the same time, and a transaction for each would wait for the disk as often.
Whoever comes while others are being noted waits, and one of those who wait notes them all.

Bytes that were read right are right whether that can be noted or not: a database that cannot be written, because its
disk is full or it was opened for reading, goes to the log and fails no download.
"""

import logging
import threading
from dataclasses import dataclass

from mlmd_metadata_store.database import Database
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL, Caller
from mlmd_schemas.counting import counted
from mlmd_schemas.errors import StoreError

from mlmd_artifact_store.damage import mark_damage
from mlmd_artifact_store.manifests import mark_verified

_LOOK_SECONDS = 1.0
_LOG = logging.getLogger("mlmd.artifacts")


@dataclass(slots=True, eq=False)
class _Mark:
    artifact_id: int
    path: str
    was_damaged: bool = False
    written: bool = False
    error: BaseException | None = None


class VerifiedMarks:
    """The files that are to be noted as verified; safe to use from many threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changed = threading.Condition()
        self._waiting: list[_Mark] = []
        self._is_writing = False
        self._trouble = ""

    @property
    def waiting(self) -> int:
        """How many files are to be noted once those that are being noted are."""
        return len(self._waiting)

    def note(self, artifact_id: int, path: str, caller: Caller, *, was_damaged: bool = False) -> None:
        """Note that a file has the bytes that were declared; raises DeadlineExceeded.

        One that `was_damaged` is whole again, and so may its artifact be. What the database refuses is logged when it
        begins; the file stays as it was noted, and whoever reads it whole the next time notes it.
        """
        mark = _Mark(artifact_id, path, was_damaged)
        with self._changed:
            self._waiting.append(mark)
            while self._is_writing and not mark.written:
                self._changed.wait(_LOOK_SECONDS)
                caller.check_deadline()
            batch = [] if mark.written else self._waiting
            if batch:
                self._waiting, self._is_writing = [], True
        if batch:
            self._write(batch)
        if mark.error is not None:
            raise mark.error

    def _write(self, batch: list[_Mark]) -> None:
        paths: dict[int, list[str]] = {}
        for mark in batch:
            paths.setdefault(mark.artifact_id, []).append(mark.path)

        def body(tx: Transaction) -> None:
            for artifact_id, those in sorted(paths.items()):
                mark_verified(tx, artifact_id, those)
            mark_damage(tx, {mark.artifact_id for mark in batch if mark.was_damaged})

        error: BaseException | None = None
        try:
            self._database.write(LOCAL, body, repeatable=True)
            self._trouble = ""
        except StoreError as refused:
            self._tell(batch, refused.message)
        except BaseException as raised:  # noqa: BLE001 - it is raised in each of those who wait
            error = raised
        with self._changed:
            for mark in batch:
                mark.written, mark.error = True, error
            self._is_writing = False
            self._changed.notify_all()

    def _tell(self, batch: list[_Mark], trouble: str) -> None:
        """Say in the log what could not be noted, once for each trouble; one thread writes at a time."""
        if trouble != self._trouble:
            _LOG.warning(
                "%s read whole and right could not be noted as verified, first %r of artifact %d: %s They are "
                "noted when they are read again, by `mlmd-server verify` or a download.",
                counted(len(batch), "file"),
                batch[0].path,
                batch[0].artifact_id,
                trouble,
            )
        self._trouble = trouble
