from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class NodeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NODE_KIND_UNSPECIFIED: _ClassVar[NodeKind]
    NODE_KIND_ARTIFACT: _ClassVar[NodeKind]
    NODE_KIND_EXECUTION: _ClassVar[NodeKind]
    NODE_KIND_CONTEXT: _ClassVar[NodeKind]
NODE_KIND_UNSPECIFIED: NodeKind
NODE_KIND_ARTIFACT: NodeKind
NODE_KIND_EXECUTION: NodeKind
NODE_KIND_CONTEXT: NodeKind

class PurgeRequest(_message.Message):
    __slots__ = ("kind", "ids", "filter_query", "include_bytes", "reason", "digest")
    KIND_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    FILTER_QUERY_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_BYTES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    kind: NodeKind
    ids: _containers.RepeatedScalarFieldContainer[int]
    filter_query: str
    include_bytes: bool
    reason: str
    digest: bytes
    def __init__(self, kind: _Optional[_Union[NodeKind, str]] = ..., ids: _Optional[_Iterable[int]] = ..., filter_query: _Optional[str] = ..., include_bytes: bool = ..., reason: _Optional[str] = ..., digest: _Optional[bytes] = ...) -> None: ...

class PurgedNode(_message.Message):
    __slots__ = ("id", "name", "uri")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    id: int
    name: str
    uri: str
    def __init__(self, id: _Optional[int] = ..., name: _Optional[str] = ..., uri: _Optional[str] = ...) -> None: ...

class PurgeResponse(_message.Message):
    __slots__ = ("purged", "digest", "node_count", "property_count", "file_count", "size_bytes", "nodes", "obstacles")
    PURGED_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    NODE_COUNT_FIELD_NUMBER: _ClassVar[int]
    PROPERTY_COUNT_FIELD_NUMBER: _ClassVar[int]
    FILE_COUNT_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    OBSTACLES_FIELD_NUMBER: _ClassVar[int]
    purged: bool
    digest: bytes
    node_count: int
    property_count: int
    file_count: int
    size_bytes: int
    nodes: _containers.RepeatedCompositeFieldContainer[PurgedNode]
    obstacles: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, purged: bool = ..., digest: _Optional[bytes] = ..., node_count: _Optional[int] = ..., property_count: _Optional[int] = ..., file_count: _Optional[int] = ..., size_bytes: _Optional[int] = ..., nodes: _Optional[_Iterable[_Union[PurgedNode, _Mapping]]] = ..., obstacles: _Optional[_Iterable[str]] = ...) -> None: ...

class Tombstone(_message.Message):
    __slots__ = ("kind", "id", "what", "subject", "reason", "file_count", "size_bytes", "delete_ms")
    class What(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        WHAT_UNSPECIFIED: _ClassVar[Tombstone.What]
        WHAT_FACTS: _ClassVar[Tombstone.What]
        WHAT_BYTES: _ClassVar[Tombstone.What]
    WHAT_UNSPECIFIED: Tombstone.What
    WHAT_FACTS: Tombstone.What
    WHAT_BYTES: Tombstone.What
    KIND_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FILE_COUNT_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    DELETE_MS_FIELD_NUMBER: _ClassVar[int]
    kind: NodeKind
    id: int
    what: Tombstone.What
    subject: str
    reason: str
    file_count: int
    size_bytes: int
    delete_ms: int
    def __init__(self, kind: _Optional[_Union[NodeKind, str]] = ..., id: _Optional[int] = ..., what: _Optional[_Union[Tombstone.What, str]] = ..., subject: _Optional[str] = ..., reason: _Optional[str] = ..., file_count: _Optional[int] = ..., size_bytes: _Optional[int] = ..., delete_ms: _Optional[int] = ...) -> None: ...

class ListTombstonesRequest(_message.Message):
    __slots__ = ("kind", "page_size", "page_token", "ids")
    KIND_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    kind: NodeKind
    page_size: int
    page_token: str
    ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, kind: _Optional[_Union[NodeKind, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., ids: _Optional[_Iterable[int]] = ...) -> None: ...

class ListTombstonesResponse(_message.Message):
    __slots__ = ("tombstones", "next_page_token")
    TOMBSTONES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tombstones: _containers.RepeatedCompositeFieldContainer[Tombstone]
    next_page_token: str
    def __init__(self, tombstones: _Optional[_Iterable[_Union[Tombstone, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class PinArtifactRequest(_message.Message):
    __slots__ = ("artifact_id", "reason")
    ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    artifact_id: int
    reason: str
    def __init__(self, artifact_id: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class PinArtifactResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class UnpinArtifactRequest(_message.Message):
    __slots__ = ("artifact_id",)
    ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    artifact_id: int
    def __init__(self, artifact_id: _Optional[int] = ...) -> None: ...

class UnpinArtifactResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Pin(_message.Message):
    __slots__ = ("artifact_id", "subject", "reason", "create_ms")
    ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CREATE_MS_FIELD_NUMBER: _ClassVar[int]
    artifact_id: int
    subject: str
    reason: str
    create_ms: int
    def __init__(self, artifact_id: _Optional[int] = ..., subject: _Optional[str] = ..., reason: _Optional[str] = ..., create_ms: _Optional[int] = ...) -> None: ...

class ListPinsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListPinsResponse(_message.Message):
    __slots__ = ("pins", "next_page_token")
    PINS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    pins: _containers.RepeatedCompositeFieldContainer[Pin]
    next_page_token: str
    def __init__(self, pins: _Optional[_Iterable[_Union[Pin, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class KeepRules(_message.Message):
    __slots__ = ("newest", "younger_than_seconds", "without_origins")
    NEWEST_FIELD_NUMBER: _ClassVar[int]
    YOUNGER_THAN_SECONDS_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_ORIGINS_FIELD_NUMBER: _ClassVar[int]
    newest: int
    younger_than_seconds: int
    without_origins: bool
    def __init__(self, newest: _Optional[int] = ..., younger_than_seconds: _Optional[int] = ..., without_origins: bool = ...) -> None: ...

class CollectGarbageRequest(_message.Message):
    __slots__ = ("rules", "dry_run", "limit", "reason")
    RULES_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    rules: KeepRules
    dry_run: bool
    limit: int
    reason: str
    def __init__(self, rules: _Optional[_Union[KeepRules, _Mapping]] = ..., dry_run: bool = ..., limit: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class Garbage(_message.Message):
    __slots__ = ("artifact_id", "file_count", "size_bytes", "root_uri")
    ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    FILE_COUNT_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    ROOT_URI_FIELD_NUMBER: _ClassVar[int]
    artifact_id: int
    file_count: int
    size_bytes: int
    root_uri: str
    def __init__(self, artifact_id: _Optional[int] = ..., file_count: _Optional[int] = ..., size_bytes: _Optional[int] = ..., root_uri: _Optional[str] = ...) -> None: ...

class CollectGarbageResponse(_message.Message):
    __slots__ = ("garbage", "more", "kept_count")
    GARBAGE_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    KEPT_COUNT_FIELD_NUMBER: _ClassVar[int]
    garbage: _containers.RepeatedCompositeFieldContainer[Garbage]
    more: bool
    kept_count: int
    def __init__(self, garbage: _Optional[_Iterable[_Union[Garbage, _Mapping]]] = ..., more: bool = ..., kept_count: _Optional[int] = ...) -> None: ...

class ExplainKeptRequest(_message.Message):
    __slots__ = ("artifact_id", "rules")
    ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    artifact_id: int
    rules: KeepRules
    def __init__(self, artifact_id: _Optional[int] = ..., rules: _Optional[_Union[KeepRules, _Mapping]] = ...) -> None: ...

class KeptReason(_message.Message):
    __slots__ = ("rule", "text", "path")
    class Rule(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        RULE_UNSPECIFIED: _ClassVar[KeptReason.Rule]
        RULE_ALIAS: _ClassVar[KeptReason.Rule]
        RULE_PINNED: _ClassVar[KeptReason.Rule]
        RULE_NEWEST: _ClassVar[KeptReason.Rule]
        RULE_YOUNG: _ClassVar[KeptReason.Rule]
        RULE_RUNNING: _ClassVar[KeptReason.Rule]
        RULE_PENDING: _ClassVar[KeptReason.Rule]
        RULE_COPIED: _ClassVar[KeptReason.Rule]
        RULE_ORIGIN: _ClassVar[KeptReason.Rule]
        RULE_EXTERNAL: _ClassVar[KeptReason.Rule]
        RULE_REGISTERED: _ClassVar[KeptReason.Rule]
    RULE_UNSPECIFIED: KeptReason.Rule
    RULE_ALIAS: KeptReason.Rule
    RULE_PINNED: KeptReason.Rule
    RULE_NEWEST: KeptReason.Rule
    RULE_YOUNG: KeptReason.Rule
    RULE_RUNNING: KeptReason.Rule
    RULE_PENDING: KeptReason.Rule
    RULE_COPIED: KeptReason.Rule
    RULE_ORIGIN: KeptReason.Rule
    RULE_EXTERNAL: KeptReason.Rule
    RULE_REGISTERED: KeptReason.Rule
    RULE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    rule: KeptReason.Rule
    text: str
    path: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, rule: _Optional[_Union[KeptReason.Rule, str]] = ..., text: _Optional[str] = ..., path: _Optional[_Iterable[int]] = ...) -> None: ...

class ExplainKeptResponse(_message.Message):
    __slots__ = ("kept", "reasons", "summary")
    KEPT_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    kept: bool
    reasons: _containers.RepeatedCompositeFieldContainer[KeptReason]
    summary: str
    def __init__(self, kept: bool = ..., reasons: _Optional[_Iterable[_Union[KeptReason, _Mapping]]] = ..., summary: _Optional[str] = ...) -> None: ...

class VerifyArtifactsRequest(_message.Message):
    __slots__ = ("artifact_ids",)
    ARTIFACT_IDS_FIELD_NUMBER: _ClassVar[int]
    artifact_ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, artifact_ids: _Optional[_Iterable[int]] = ...) -> None: ...

class FileFinding(_message.Message):
    __slots__ = ("artifact_id", "path", "verdict")
    class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        VERDICT_UNSPECIFIED: _ClassVar[FileFinding.Verdict]
        VERDICT_CHANGED: _ClassVar[FileFinding.Verdict]
        VERDICT_MISSING: _ClassVar[FileFinding.Verdict]
    VERDICT_UNSPECIFIED: FileFinding.Verdict
    VERDICT_CHANGED: FileFinding.Verdict
    VERDICT_MISSING: FileFinding.Verdict
    ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    artifact_id: int
    path: str
    verdict: FileFinding.Verdict
    def __init__(self, artifact_id: _Optional[int] = ..., path: _Optional[str] = ..., verdict: _Optional[_Union[FileFinding.Verdict, str]] = ...) -> None: ...

class VerifyArtifactsResponse(_message.Message):
    __slots__ = ("file_count", "size_bytes", "findings", "unread_artifact_ids")
    FILE_COUNT_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    UNREAD_ARTIFACT_IDS_FIELD_NUMBER: _ClassVar[int]
    file_count: int
    size_bytes: int
    findings: _containers.RepeatedCompositeFieldContainer[FileFinding]
    unread_artifact_ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, file_count: _Optional[int] = ..., size_bytes: _Optional[int] = ..., findings: _Optional[_Iterable[_Union[FileFinding, _Mapping]]] = ..., unread_artifact_ids: _Optional[_Iterable[int]] = ...) -> None: ...

class SweepRequest(_message.Message):
    __slots__ = ("grace_seconds",)
    GRACE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    grace_seconds: int
    def __init__(self, grace_seconds: _Optional[int] = ...) -> None: ...

class SweepResponse(_message.Message):
    __slots__ = ("abandoned_artifact_ids", "deleted_artifact_ids", "failures", "failure_count")
    ABANDONED_ARTIFACT_IDS_FIELD_NUMBER: _ClassVar[int]
    DELETED_ARTIFACT_IDS_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    FAILURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    abandoned_artifact_ids: _containers.RepeatedScalarFieldContainer[int]
    deleted_artifact_ids: _containers.RepeatedScalarFieldContainer[int]
    failures: _containers.RepeatedScalarFieldContainer[str]
    failure_count: int
    def __init__(self, abandoned_artifact_ids: _Optional[_Iterable[int]] = ..., deleted_artifact_ids: _Optional[_Iterable[int]] = ..., failures: _Optional[_Iterable[str]] = ..., failure_count: _Optional[int] = ...) -> None: ...
