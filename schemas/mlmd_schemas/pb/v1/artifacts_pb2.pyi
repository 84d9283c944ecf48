from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class UploadFile(_message.Message):
    __slots__ = ("path", "size_bytes", "sha256", "md5s", "part_size_bytes", "media_type")
    PATH_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    MD5S_FIELD_NUMBER: _ClassVar[int]
    PART_SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    path: str
    size_bytes: int
    sha256: bytes
    md5s: _containers.RepeatedScalarFieldContainer[bytes]
    part_size_bytes: int
    media_type: str
    def __init__(self, path: _Optional[str] = ..., size_bytes: _Optional[int] = ..., sha256: _Optional[bytes] = ..., md5s: _Optional[_Iterable[bytes]] = ..., part_size_bytes: _Optional[int] = ..., media_type: _Optional[str] = ...) -> None: ...

class File(_message.Message):
    __slots__ = ("path", "size_bytes", "sha256", "verified", "media_type", "etag", "damaged")
    PATH_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    VERIFIED_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    DAMAGED_FIELD_NUMBER: _ClassVar[int]
    path: str
    size_bytes: int
    sha256: bytes
    verified: bool
    media_type: str
    etag: str
    damaged: bool
    def __init__(self, path: _Optional[str] = ..., size_bytes: _Optional[int] = ..., sha256: _Optional[bytes] = ..., verified: bool = ..., media_type: _Optional[str] = ..., etag: _Optional[str] = ..., damaged: bool = ...) -> None: ...

class Manifest(_message.Message):
    __slots__ = ("artifact_id", "root_uri", "external", "file_count", "size_bytes", "digest", "create_ms")
    ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    ROOT_URI_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_FIELD_NUMBER: _ClassVar[int]
    FILE_COUNT_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    CREATE_MS_FIELD_NUMBER: _ClassVar[int]
    artifact_id: int
    root_uri: str
    external: bool
    file_count: int
    size_bytes: int
    digest: bytes
    create_ms: int
    def __init__(self, artifact_id: _Optional[int] = ..., root_uri: _Optional[str] = ..., external: bool = ..., file_count: _Optional[int] = ..., size_bytes: _Optional[int] = ..., digest: _Optional[bytes] = ..., create_ms: _Optional[int] = ...) -> None: ...

class SignedRequest(_message.Message):
    __slots__ = ("method", "url", "headers", "expires_ms")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    METHOD_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_MS_FIELD_NUMBER: _ClassVar[int]
    method: str
    url: str
    headers: _containers.ScalarMap[str, str]
    expires_ms: int
    def __init__(self, method: _Optional[str] = ..., url: _Optional[str] = ..., headers: _Optional[_Mapping[str, str]] = ..., expires_ms: _Optional[int] = ...) -> None: ...

class BeginUploadRequest(_message.Message):
    __slots__ = ("artifact", "files", "collection", "reuse", "unchanged_from_artifact_id", "more_files", "digest")
    ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    REUSE_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_FROM_ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    MORE_FILES_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    artifact: bytes
    files: _containers.RepeatedCompositeFieldContainer[UploadFile]
    collection: str
    reuse: bool
    unchanged_from_artifact_id: int
    more_files: bool
    digest: bytes
    def __init__(self, artifact: _Optional[bytes] = ..., files: _Optional[_Iterable[_Union[UploadFile, _Mapping]]] = ..., collection: _Optional[str] = ..., reuse: bool = ..., unchanged_from_artifact_id: _Optional[int] = ..., more_files: bool = ..., digest: _Optional[bytes] = ...) -> None: ...

class BeginRestoreRequest(_message.Message):
    __slots__ = ("artifact_id",)
    ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    artifact_id: int
    def __init__(self, artifact_id: _Optional[int] = ...) -> None: ...

class BeginRestoreResponse(_message.Message):
    __slots__ = ("present", "uri", "resumed")
    PRESENT_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    RESUMED_FIELD_NUMBER: _ClassVar[int]
    present: bool
    uri: str
    resumed: bool
    def __init__(self, present: bool = ..., uri: _Optional[str] = ..., resumed: bool = ...) -> None: ...

class BeginUploadResponse(_message.Message):
    __slots__ = ("artifact_id", "reused", "uri", "files_to_send")
    ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    REUSED_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    FILES_TO_SEND_FIELD_NUMBER: _ClassVar[int]
    artifact_id: int
    reused: bool
    uri: str
    files_to_send: int
    def __init__(self, artifact_id: _Optional[int] = ..., reused: bool = ..., uri: _Optional[str] = ..., files_to_send: _Optional[int] = ...) -> None: ...

class DeclareFilesRequest(_message.Message):
    __slots__ = ("artifact_id", "files", "unchanged_from_artifact_id", "only_missing", "unsigned")
    ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_FROM_ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    ONLY_MISSING_FIELD_NUMBER: _ClassVar[int]
    UNSIGNED_FIELD_NUMBER: _ClassVar[int]
    artifact_id: int
    files: _containers.RepeatedCompositeFieldContainer[UploadFile]
    unchanged_from_artifact_id: int
    only_missing: bool
    unsigned: bool
    def __init__(self, artifact_id: _Optional[int] = ..., files: _Optional[_Iterable[_Union[UploadFile, _Mapping]]] = ..., unchanged_from_artifact_id: _Optional[int] = ..., only_missing: bool = ..., unsigned: bool = ...) -> None: ...

class DeclareFilesResponse(_message.Message):
    __slots__ = ("urls",)
    URLS_FIELD_NUMBER: _ClassVar[int]
    urls: _containers.RepeatedCompositeFieldContainer[UploadUrl]
    def __init__(self, urls: _Optional[_Iterable[_Union[UploadUrl, _Mapping]]] = ...) -> None: ...

class SignPartsRequest(_message.Message):
    __slots__ = ("artifact_id", "path", "parts", "only_missing")
    ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    ONLY_MISSING_FIELD_NUMBER: _ClassVar[int]
    artifact_id: int
    path: str
    parts: _containers.RepeatedCompositeFieldContainer[PartDigest]
    only_missing: bool
    def __init__(self, artifact_id: _Optional[int] = ..., path: _Optional[str] = ..., parts: _Optional[_Iterable[_Union[PartDigest, _Mapping]]] = ..., only_missing: bool = ...) -> None: ...

class PartDigest(_message.Message):
    __slots__ = ("part_number", "md5")
    PART_NUMBER_FIELD_NUMBER: _ClassVar[int]
    MD5_FIELD_NUMBER: _ClassVar[int]
    part_number: int
    md5: bytes
    def __init__(self, part_number: _Optional[int] = ..., md5: _Optional[bytes] = ...) -> None: ...

class SignPartsResponse(_message.Message):
    __slots__ = ("urls",)
    URLS_FIELD_NUMBER: _ClassVar[int]
    urls: _containers.RepeatedCompositeFieldContainer[UploadUrl]
    def __init__(self, urls: _Optional[_Iterable[_Union[UploadUrl, _Mapping]]] = ...) -> None: ...

class ListUploadUrlsRequest(_message.Message):
    __slots__ = ("artifact_id", "only_missing", "page_size", "page_token")
    ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    ONLY_MISSING_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    artifact_id: int
    only_missing: bool
    page_size: int
    page_token: str
    def __init__(self, artifact_id: _Optional[int] = ..., only_missing: bool = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class StreamUploadUrlsRequest(_message.Message):
    __slots__ = ("artifact_id", "only_missing", "batch_size")
    ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    ONLY_MISSING_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    artifact_id: int
    only_missing: bool
    batch_size: int
    def __init__(self, artifact_id: _Optional[int] = ..., only_missing: bool = ..., batch_size: _Optional[int] = ...) -> None: ...

class StreamUploadUrlsResponse(_message.Message):
    __slots__ = ("urls",)
    URLS_FIELD_NUMBER: _ClassVar[int]
    urls: _containers.RepeatedCompositeFieldContainer[UploadUrl]
    def __init__(self, urls: _Optional[_Iterable[_Union[UploadUrl, _Mapping]]] = ...) -> None: ...

class UploadUrl(_message.Message):
    __slots__ = ("path", "part_number", "offset_bytes", "size_bytes", "request")
    PATH_FIELD_NUMBER: _ClassVar[int]
    PART_NUMBER_FIELD_NUMBER: _ClassVar[int]
    OFFSET_BYTES_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    path: str
    part_number: int
    offset_bytes: int
    size_bytes: int
    request: SignedRequest
    def __init__(self, path: _Optional[str] = ..., part_number: _Optional[int] = ..., offset_bytes: _Optional[int] = ..., size_bytes: _Optional[int] = ..., request: _Optional[_Union[SignedRequest, _Mapping]] = ...) -> None: ...

class ListUploadUrlsResponse(_message.Message):
    __slots__ = ("urls", "next_page_token")
    URLS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    urls: _containers.RepeatedCompositeFieldContainer[UploadUrl]
    next_page_token: str
    def __init__(self, urls: _Optional[_Iterable[_Union[UploadUrl, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CommitUploadRequest(_message.Message):
    __slots__ = ("artifact_id", "made_by")
    ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    MADE_BY_FIELD_NUMBER: _ClassVar[int]
    artifact_id: int
    made_by: MadeBy
    def __init__(self, artifact_id: _Optional[int] = ..., made_by: _Optional[_Union[MadeBy, _Mapping]] = ...) -> None: ...

class MadeBy(_message.Message):
    __slots__ = ("execution_id", "context_id", "path_key")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_ID_FIELD_NUMBER: _ClassVar[int]
    PATH_KEY_FIELD_NUMBER: _ClassVar[int]
    execution_id: int
    context_id: int
    path_key: str
    def __init__(self, execution_id: _Optional[int] = ..., context_id: _Optional[int] = ..., path_key: _Optional[str] = ...) -> None: ...

class CommitUploadResponse(_message.Message):
    __slots__ = ("manifest", "version_number")
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    VERSION_NUMBER_FIELD_NUMBER: _ClassVar[int]
    manifest: Manifest
    version_number: int
    def __init__(self, manifest: _Optional[_Union[Manifest, _Mapping]] = ..., version_number: _Optional[int] = ...) -> None: ...

class AbortUploadRequest(_message.Message):
    __slots__ = ("artifact_id",)
    ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    artifact_id: int
    def __init__(self, artifact_id: _Optional[int] = ...) -> None: ...

class AbortUploadResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetManifestRequest(_message.Message):
    __slots__ = ("artifact_id",)
    ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    artifact_id: int
    def __init__(self, artifact_id: _Optional[int] = ...) -> None: ...

class GetManifestResponse(_message.Message):
    __slots__ = ("manifest",)
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    manifest: Manifest
    def __init__(self, manifest: _Optional[_Union[Manifest, _Mapping]] = ...) -> None: ...

class ListFilesRequest(_message.Message):
    __slots__ = ("artifact_id", "prefix", "page_size", "page_token")
    ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    artifact_id: int
    prefix: str
    page_size: int
    page_token: str
    def __init__(self, artifact_id: _Optional[int] = ..., prefix: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListFilesResponse(_message.Message):
    __slots__ = ("files", "next_page_token")
    FILES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    files: _containers.RepeatedCompositeFieldContainer[File]
    next_page_token: str
    def __init__(self, files: _Optional[_Iterable[_Union[File, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListDownloadUrlsRequest(_message.Message):
    __slots__ = ("artifact_id", "prefix", "page_size", "page_token")
    ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    artifact_id: int
    prefix: str
    page_size: int
    page_token: str
    def __init__(self, artifact_id: _Optional[int] = ..., prefix: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class DownloadUrl(_message.Message):
    __slots__ = ("file", "request")
    FILE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    file: File
    request: SignedRequest
    def __init__(self, file: _Optional[_Union[File, _Mapping]] = ..., request: _Optional[_Union[SignedRequest, _Mapping]] = ...) -> None: ...

class ListDownloadUrlsResponse(_message.Message):
    __slots__ = ("urls", "next_page_token")
    URLS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    urls: _containers.RepeatedCompositeFieldContainer[DownloadUrl]
    next_page_token: str
    def __init__(self, urls: _Optional[_Iterable[_Union[DownloadUrl, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class StreamDownloadUrlsRequest(_message.Message):
    __slots__ = ("artifact_id", "prefix", "batch_size")
    ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    artifact_id: int
    prefix: str
    batch_size: int
    def __init__(self, artifact_id: _Optional[int] = ..., prefix: _Optional[str] = ..., batch_size: _Optional[int] = ...) -> None: ...

class StreamDownloadUrlsResponse(_message.Message):
    __slots__ = ("urls",)
    URLS_FIELD_NUMBER: _ClassVar[int]
    urls: _containers.RepeatedCompositeFieldContainer[DownloadUrl]
    def __init__(self, urls: _Optional[_Iterable[_Union[DownloadUrl, _Mapping]]] = ...) -> None: ...

class RecordExternalRequest(_message.Message):
    __slots__ = ("artifact", "files")
    ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    artifact: bytes
    files: _containers.RepeatedCompositeFieldContainer[UploadFile]
    def __init__(self, artifact: _Optional[bytes] = ..., files: _Optional[_Iterable[_Union[UploadFile, _Mapping]]] = ...) -> None: ...

class RecordExternalResponse(_message.Message):
    __slots__ = ("manifest",)
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    manifest: Manifest
    def __init__(self, manifest: _Optional[_Union[Manifest, _Mapping]] = ...) -> None: ...

class RecordFilesRequest(_message.Message):
    __slots__ = ("artifact_id",)
    ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    artifact_id: int
    def __init__(self, artifact_id: _Optional[int] = ...) -> None: ...

class RecordFilesResponse(_message.Message):
    __slots__ = ("manifest",)
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    manifest: Manifest
    def __init__(self, manifest: _Optional[_Union[Manifest, _Mapping]] = ...) -> None: ...
