"""The files of artifacts in `mlmd export --with-bytes` and `mlmd import`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlmd_schemas.counting import counted
from mlmd_schemas.pb.v1 import archive_pb2 as v1

from mlmd_client.archive_bytes import BytesReader, BytesWriter, Carried
from mlmd_client.calls import CallError
from mlmd_client.command_line.session import Failure, Session
from mlmd_client.command_line.statuses import FOUND_WRONG
from mlmd_client.failures import failure_of
from mlmd_client.large_zip import LargeZipReader, LargeZipWriter
from mlmd_client.progress import Meter
from mlmd_client.progress_bar import ProgressBar, human_bytes
from mlmd_client.restoring import Restorer

BYTES = "bytes"
"""What files are called among the tables of an answer."""
_MANIFESTS = "mlmd_manifests"
_AT_ONCE = 500


@dataclass(slots=True)
class Held:
    """Which artifacts of an archive have files, by what its rows say; those of others are where they are."""

    artifact_ids: list[int] = field(default_factory=list)
    files: int = 0
    size_bytes: int = 0
    elsewhere: int = 0

    def note(self, rows: v1.ArchiveRows) -> None:
        """Take the manifests among the rows of an archive."""
        if rows.table != _MANIFESTS:
            return
        for line in rows.lines.splitlines():
            row = dict(zip(rows.columns, json.loads(line), strict=True))
            if row["is_external"]:
                self.elsewhere += 1
                continue
            self.artifact_ids.append(row["artifact_id"])
            self.files += row["file_count"]
            self.size_bytes += row["size_bytes"]


def write_bytes(session: Session, archive: LargeZipWriter, held: Held) -> BytesWriter:
    """Write the files of artifacts into an archive; raises the classes of `mlmd_client.failures`."""
    bar = ProgressBar("export")
    meter = Meter(bar)
    meter.expect(held.files, held.size_bytes)
    writer = BytesWriter(archive, session.store.service.transport, meter)
    try:
        writer.write(held.artifact_ids)
        meter.end()
    except CallError as error:
        raise failure_of(error) from None
    finally:
        bar.end()
    return writer


def tell_left_out(session: Session, held: Held, written: BytesWriter) -> None:
    """Say what is in the archive and what is not; raises Failure when something is not that should be."""
    size = sum(one.size_bytes for one in written.carried)
    session.remark(f"the files of {counted(len(written.carried), 'artifact')} are in it, {human_bytes(size)}")
    if held.elsewhere:
        session.remark(
            f"the files of {counted(held.elsewhere, 'artifact')} are outside of this store, and not in the archive"
        )
    if written.failures:
        for sentence in written.failures:
            session.remark(f"left out: {sentence}")
        raise Failure(
            f"the files of {counted(len(written.failures), 'artifact')} are not in the archive; everything else is.",
            FOUND_WRONG,
        )


def read_bytes(path: Path, archive: LargeZipReader) -> BytesReader:
    """Return the files of an archive; raises Refused when what it says of them is damaged."""
    try:
        return BytesReader(path, archive)
    except CallError as error:
        raise failure_of(error) from None


def restore_bytes(session: Session, store_uuid: str, packed: BytesReader, *, dry_run: bool) -> dict[str, Any]:
    """Send the files that artifacts here await, or count them; return a row of the answer, in files."""
    added = 0
    bar = ProgressBar("import")
    meter = Meter(bar)
    try:
        with Restorer(session.store.service.transport, meter) as restorer:
            for carried, node in _matched(session, store_uuid, packed.carried):
                if dry_run:
                    added += carried.files if node is None or node.awaits_files else 0
                elif node is not None and node.awaits_files:
                    meter.expect(carried.files, carried.size_bytes)
                    if restorer.restore(node.id, packed.listing(carried)):
                        added += carried.files
        meter.end()
    except CallError as error:
        raise failure_of(error) from None
    finally:
        bar.end()
    rows = sum(one.files for one in packed.carried)
    return {"table": BYTES, "rows": rows, "added": added, "present": rows - added, "renumbered": 0}


def _matched(
    session: Session, store_uuid: str, carried: list[Carried]
) -> Iterator[tuple[Carried, v1.ImportedNode | None]]:
    """Yield the artifacts of an archive with what they are here."""
    for start in range(0, len(carried), _AT_ONCE):
        some = carried[start : start + _AT_ONCE]
        request = v1.FindImportedRequest(store_uuid=store_uuid, artifact_ids=[one.artifact_id for one in some])
        answer = session.store.service.read(request, v1.FindImportedResponse)
        found = {node.origin_id: node for node in answer.artifacts}
        yield from ((one, found.get(one.artifact_id)) for one in some)
