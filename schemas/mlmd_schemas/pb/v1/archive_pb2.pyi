from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExportRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ExportResponse(_message.Message):
    __slots__ = ("header", "rows")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    header: ArchiveHeader
    rows: ArchiveRows
    def __init__(self, header: _Optional[_Union[ArchiveHeader, _Mapping]] = ..., rows: _Optional[_Union[ArchiveRows, _Mapping]] = ...) -> None: ...

class ArchiveHeader(_message.Message):
    __slots__ = ("format", "schema_version", "store_uuid", "create_ms")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    STORE_UUID_FIELD_NUMBER: _ClassVar[int]
    CREATE_MS_FIELD_NUMBER: _ClassVar[int]
    format: int
    schema_version: int
    store_uuid: str
    create_ms: int
    def __init__(self, format: _Optional[int] = ..., schema_version: _Optional[int] = ..., store_uuid: _Optional[str] = ..., create_ms: _Optional[int] = ...) -> None: ...

class ArchiveRows(_message.Message):
    __slots__ = ("table", "columns", "lines", "row_count")
    TABLE_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    ROW_COUNT_FIELD_NUMBER: _ClassVar[int]
    table: str
    columns: _containers.RepeatedScalarFieldContainer[str]
    lines: bytes
    row_count: int
    def __init__(self, table: _Optional[str] = ..., columns: _Optional[_Iterable[str]] = ..., lines: _Optional[bytes] = ..., row_count: _Optional[int] = ...) -> None: ...

class BeginImportRequest(_message.Message):
    __slots__ = ("header",)
    HEADER_FIELD_NUMBER: _ClassVar[int]
    header: ArchiveHeader
    def __init__(self, header: _Optional[_Union[ArchiveHeader, _Mapping]] = ...) -> None: ...

class BeginImportResponse(_message.Message):
    __slots__ = ("import_id",)
    IMPORT_ID_FIELD_NUMBER: _ClassVar[int]
    import_id: str
    def __init__(self, import_id: _Optional[str] = ...) -> None: ...

class AddToImportRequest(_message.Message):
    __slots__ = ("import_id", "number", "rows")
    IMPORT_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    import_id: str
    number: int
    rows: ArchiveRows
    def __init__(self, import_id: _Optional[str] = ..., number: _Optional[int] = ..., rows: _Optional[_Union[ArchiveRows, _Mapping]] = ...) -> None: ...

class AddToImportResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CommitImportRequest(_message.Message):
    __slots__ = ("import_id", "count", "dry_run")
    IMPORT_ID_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    import_id: str
    count: int
    dry_run: bool
    def __init__(self, import_id: _Optional[str] = ..., count: _Optional[int] = ..., dry_run: bool = ...) -> None: ...

class ImportedTable(_message.Message):
    __slots__ = ("table", "rows", "added", "present", "renumbered")
    TABLE_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    ADDED_FIELD_NUMBER: _ClassVar[int]
    PRESENT_FIELD_NUMBER: _ClassVar[int]
    RENUMBERED_FIELD_NUMBER: _ClassVar[int]
    table: str
    rows: int
    added: int
    present: int
    renumbered: int
    def __init__(self, table: _Optional[str] = ..., rows: _Optional[int] = ..., added: _Optional[int] = ..., present: _Optional[int] = ..., renumbered: _Optional[int] = ...) -> None: ...

class CommitImportResponse(_message.Message):
    __slots__ = ("tables",)
    TABLES_FIELD_NUMBER: _ClassVar[int]
    tables: _containers.RepeatedCompositeFieldContainer[ImportedTable]
    def __init__(self, tables: _Optional[_Iterable[_Union[ImportedTable, _Mapping]]] = ...) -> None: ...

class AbortImportRequest(_message.Message):
    __slots__ = ("import_id",)
    IMPORT_ID_FIELD_NUMBER: _ClassVar[int]
    import_id: str
    def __init__(self, import_id: _Optional[str] = ...) -> None: ...

class AbortImportResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FindImportedRequest(_message.Message):
    __slots__ = ("store_uuid", "artifact_ids", "execution_ids", "context_ids")
    STORE_UUID_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_IDS_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_IDS_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_IDS_FIELD_NUMBER: _ClassVar[int]
    store_uuid: str
    artifact_ids: _containers.RepeatedScalarFieldContainer[int]
    execution_ids: _containers.RepeatedScalarFieldContainer[int]
    context_ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, store_uuid: _Optional[str] = ..., artifact_ids: _Optional[_Iterable[int]] = ..., execution_ids: _Optional[_Iterable[int]] = ..., context_ids: _Optional[_Iterable[int]] = ...) -> None: ...

class ImportedNode(_message.Message):
    __slots__ = ("origin_id", "id", "awaits_files")
    ORIGIN_ID_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    AWAITS_FILES_FIELD_NUMBER: _ClassVar[int]
    origin_id: int
    id: int
    awaits_files: bool
    def __init__(self, origin_id: _Optional[int] = ..., id: _Optional[int] = ..., awaits_files: bool = ...) -> None: ...

class FindImportedResponse(_message.Message):
    __slots__ = ("artifacts", "executions", "contexts")
    ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    CONTEXTS_FIELD_NUMBER: _ClassVar[int]
    artifacts: _containers.RepeatedCompositeFieldContainer[ImportedNode]
    executions: _containers.RepeatedCompositeFieldContainer[ImportedNode]
    contexts: _containers.RepeatedCompositeFieldContainer[ImportedNode]
    def __init__(self, artifacts: _Optional[_Iterable[_Union[ImportedNode, _Mapping]]] = ..., executions: _Optional[_Iterable[_Union[ImportedNode, _Mapping]]] = ..., contexts: _Optional[_Iterable[_Union[ImportedNode, _Mapping]]] = ...) -> None: ...
