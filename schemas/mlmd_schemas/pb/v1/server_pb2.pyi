from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetInfoResponse(_message.Message):
    __slots__ = ("version", "features", "http_address", "limits", "store_uuid")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    HTTP_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    STORE_UUID_FIELD_NUMBER: _ClassVar[int]
    version: str
    features: _containers.RepeatedScalarFieldContainer[str]
    http_address: str
    limits: Limits
    store_uuid: str
    def __init__(self, version: _Optional[str] = ..., features: _Optional[_Iterable[str]] = ..., http_address: _Optional[str] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., store_uuid: _Optional[str] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("max_message_bytes", "max_page_size", "max_hops")
    MAX_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    MAX_HOPS_FIELD_NUMBER: _ClassVar[int]
    max_message_bytes: int
    max_page_size: int
    max_hops: int
    def __init__(self, max_message_bytes: _Optional[int] = ..., max_page_size: _Optional[int] = ..., max_hops: _Optional[int] = ...) -> None: ...

class DiagnoseRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DiagnoseResponse(_message.Message):
    __slots__ = ("server_time_ms", "findings", "bytes_over_http")
    SERVER_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    BYTES_OVER_HTTP_FIELD_NUMBER: _ClassVar[int]
    server_time_ms: int
    findings: _containers.RepeatedCompositeFieldContainer[PartFinding]
    bytes_over_http: bool
    def __init__(self, server_time_ms: _Optional[int] = ..., findings: _Optional[_Iterable[_Union[PartFinding, _Mapping]]] = ..., bytes_over_http: bool = ...) -> None: ...

class PartFinding(_message.Message):
    __slots__ = ("part", "ok", "found", "mend")
    PART_FIELD_NUMBER: _ClassVar[int]
    OK_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    MEND_FIELD_NUMBER: _ClassVar[int]
    part: str
    ok: bool
    found: str
    mend: str
    def __init__(self, part: _Optional[str] = ..., ok: bool = ..., found: _Optional[str] = ..., mend: _Optional[str] = ...) -> None: ...
