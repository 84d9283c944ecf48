"""`mlmd export` and `import`: a store as one file.

An archive is a ZIP file: `archive.json` (its header), then `rows/<number>-<table>.jsonl`, each with its columns in the
first line and one row of that table in every other, in the order in which they have to be read. With bytes there are
`files/<artifact id>/<path>` as well, and `files.jsonl`, which has a line for each artifact whose files are there.
"""

import contextlib
import json
import os
import secrets
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from google.protobuf import json_format
from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import archive_pb2 as v1

from mlmd_client.calls import CallError
from mlmd_client.command_line.archived_bytes import (
    BYTES,
    Held,
    read_bytes,
    restore_bytes,
    tell_left_out,
    write_bytes,
)
from mlmd_client.command_line.existing_paths import ExistingPath
from mlmd_client.command_line.session import Session, command, making
from mlmd_client.failures import failure_of, refused
from mlmd_client.large_zip import LargeZipReader, LargeZipWriter
from mlmd_client.tables import Table

ARCHIVE = "/mlmd.v1.Archive/"
HEADER = "archive.json"
_LONGEST_SECONDS = 3600.0
_UNHEARD = (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.CANCELLED)
_UNTOLD = "The server may still take the rows in, all or none; the same command tells what is there, and goes on."
"""What is to be said where the answer of the server did not come."""
_DAMAGED = (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError)
"""What zipfile raises for bytes that are no archive; the last where they are packed in a way that it does not know."""


@click.command("export")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--with-bytes", is_flag=True, help="The files of artifacts too, each held against its SHA-256.")
@click.option("--force", is_flag=True, help="Replace the file when it is there.")
@command
def export_archive(session: Session, path: Path, with_bytes: bool, force: bool) -> None:
    """Write everything that the store knows, as of one moment, to the archive at PATH."""
    if path.exists() and not path.is_file():
        raise refused(f"path: {str(path)!r} is no file, and nothing else is replaced by one; name another path.")
    if path.exists() and not force:
        raise refused(f"path: {str(path)!r} is there already; --force replaces it.")
    rows, held = dict[str, int](), Held()
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")  # its own, whoever else exports to the same path
    try:
        with LargeZipWriter(part) as archive:
            for number, message in enumerate(_exported(session)):
                _add(archive, number, message)
                if message.HasField("rows"):
                    rows[message.rows.table] = rows.get(message.rows.table, 0) + message.rows.row_count
                    held.note(message.rows)
            written = write_bytes(session, archive, held) if with_bytes else None
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        if isinstance(error, CallError):  # some of which are of the system's kinds too: Denied is a PermissionError
            raise
        reason = error.strerror or error
        raise refused(f"path: {str(path)!r} cannot be written ({reason}); name a file in a folder with room.") from None
    finally:
        part.unlink(missing_ok=True)
    counts = [{"table": table, "rows": count} for table, count in rows.items()]
    if written is not None:
        counts.append({"table": BYTES, "rows": sum(one.files for one in written.carried)})
    session.say(Table(["table", "rows"], counts))
    session.remark(f"wrote {path}, {path.stat().st_size} bytes")
    if written is not None:
        tell_left_out(session, held, written)


def _exported(session: Session) -> Iterator[v1.ExportResponse]:
    transport = session.store.service.transport
    try:
        yield from transport.stream(ARCHIVE + "Export", v1.ExportRequest(), v1.ExportResponse)
    except CallError as error:
        raise failure_of(error) from None


def _add(archive: zipfile.ZipFile, number: int, message: v1.ExportResponse) -> None:
    if message.HasField("header"):
        archive.writestr(HEADER, json_format.MessageToJson(message.header))
        return
    columns = json.dumps(list(message.rows.columns)).encode() + b"\n"
    archive.writestr(f"rows/{number:08}-{message.rows.table}.jsonl", columns + message.rows.lines)


@click.command("import")
@click.argument("path", type=ExistingPath(dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Tell what would be done, and do nothing.")
@click.option("--without-bytes", is_flag=True, help="Leave the files of artifacts in the archive.")
@command
@making
def import_archive(session: Session, path: Path, dry_run: bool, without_bytes: bool) -> None:
    """Take the archive at PATH into the store; what is there already stays as it is.

    The rows come in all or not at all. Files that the archive has follow, artifact by artifact; interrupted, the same
    command goes on.
    """
    if not path.is_file():  # a pipe cannot be read twice, and a device has no end
        raise refused(f"path: {str(path)!r} is no file, and an archive is one; write it to a file first.")
    try:
        with LargeZipReader(path) as archive:
            header = _header(archive, path)
            packed = None if without_bytes else read_bytes(path, archive)
            answer = _rows_imported(session, archive, header, dry_run)
    except _DAMAGED as error:
        raise refused(f"path: {str(path)!r} is no archive of a store, or damaged ({error}); export again.") from None
    counts = [
        {"table": t.table, "rows": t.rows, "added": t.added, "present": t.present, "renumbered": t.renumbered}
        for t in answer.tables
        if t.rows
    ]
    if packed is not None and packed.carried:
        counts.append(restore_bytes(session, header.store_uuid, packed, dry_run=dry_run))
    session.say(Table(["table", "rows", "added", "present", "renumbered"], counts))
    if dry_run:
        session.remark("nothing was written: this was a dry run")


def _rows_imported(session: Session, archive: zipfile.ZipFile, header: v1.ArchiveHeader, dry_run: bool) -> Any:
    service = session.store.service
    names = sorted(name for name in archive.namelist() if name.startswith("rows/"))
    import_id = service.write(v1.BeginImportRequest(header=header), v1.BeginImportResponse).import_id
    for number, name in enumerate(names, 1):
        rows = _rows(archive.read(name), name)
        service.write(v1.AddToImportRequest(import_id=import_id, number=number, rows=rows), v1.AddToImportResponse)
    return _committed(session, import_id, len(names), dry_run)


def _header(archive: zipfile.ZipFile, path: Path) -> v1.ArchiveHeader:
    try:
        return json_format.Parse(archive.read(HEADER), v1.ArchiveHeader())
    except (KeyError, json_format.ParseError):
        raise refused(f"path: {str(path)!r} has no {HEADER}; it is no archive of a store.") from None


def _rows(content: bytes, name: str) -> v1.ArchiveRows:
    first, _, lines = content.partition(b"\n")
    table = name.rpartition("-")[2].removesuffix(".jsonl")
    try:
        columns = json.loads(first)
        return v1.ArchiveRows(table=table, columns=columns, lines=lines, row_count=lines.count(b"\n"))
    except (ValueError, TypeError):
        raise refused(f"{name}: its first line is no list of columns; the archive is damaged.") from None


def _committed(session: Session, import_id: str, count: int, dry_run: bool) -> Any:
    """Commit, or try to; an import that is refused or was only tried is dropped."""
    service = session.store.service
    request = v1.CommitImportRequest(import_id=import_id, count=count, dry_run=dry_run)
    try:
        answer = service.once(request, v1.CommitImportResponse, key=import_id, timeout_seconds=_LONGEST_SECONDS)
    except CallError as error:
        if error.code in _UNHEARD:
            raise failure_of(CallError(error.code, f"{error.message} {_UNTOLD}", error.request_id)) from None
        _drop(session, import_id)
        raise failure_of(error) from None
    if dry_run:
        _drop(session, import_id)
    return answer


def _drop(session: Session, import_id: str) -> None:
    """Have the server forget an import; one that it still has is forgotten in time by itself."""
    with contextlib.suppress(CallError):
        session.store.service.write(v1.AbortImportRequest(import_id=import_id), v1.AbortImportResponse)
