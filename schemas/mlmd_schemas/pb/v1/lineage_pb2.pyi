from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LineageCut(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LINEAGE_CUT_UNSPECIFIED: _ClassVar[LineageCut]
    LINEAGE_CUT_PAGE: _ClassVar[LineageCut]
    LINEAGE_CUT_HOPS: _ClassVar[LineageCut]
    LINEAGE_CUT_DURATION: _ClassVar[LineageCut]
    LINEAGE_CUT_ENDING: _ClassVar[LineageCut]
    LINEAGE_CUT_WINDOW: _ClassVar[LineageCut]

class LineageDetail(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LINEAGE_DETAIL_UNSPECIFIED: _ClassVar[LineageDetail]
    LINEAGE_DETAIL_NAMES: _ClassVar[LineageDetail]
    LINEAGE_DETAIL_PROPERTIES: _ClassVar[LineageDetail]

class LineageEdgeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LINEAGE_EDGE_KIND_UNSPECIFIED: _ClassVar[LineageEdgeKind]
    LINEAGE_EDGE_KIND_INPUT: _ClassVar[LineageEdgeKind]
    LINEAGE_EDGE_KIND_OUTPUT: _ClassVar[LineageEdgeKind]
    LINEAGE_EDGE_KIND_HIDDEN: _ClassVar[LineageEdgeKind]
    LINEAGE_EDGE_KIND_SAME_CONTENT: _ClassVar[LineageEdgeKind]

class LineageAspect(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LINEAGE_ASPECT_UNSPECIFIED: _ClassVar[LineageAspect]
    LINEAGE_ASPECT_INPUT: _ClassVar[LineageAspect]
    LINEAGE_ASPECT_PARAMETER: _ClassVar[LineageAspect]
    LINEAGE_ASPECT_CODE: _ClassVar[LineageAspect]
    LINEAGE_ASPECT_METRIC: _ClassVar[LineageAspect]
    LINEAGE_ASPECT_STEP: _ClassVar[LineageAspect]

class LineageDirection(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LINEAGE_DIRECTION_UNSPECIFIED: _ClassVar[LineageDirection]
    LINEAGE_DIRECTION_UPSTREAM: _ClassVar[LineageDirection]
    LINEAGE_DIRECTION_DOWNSTREAM: _ClassVar[LineageDirection]

class LineageFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LINEAGE_FORMAT_UNSPECIFIED: _ClassVar[LineageFormat]
    LINEAGE_FORMAT_SVG: _ClassVar[LineageFormat]
    LINEAGE_FORMAT_DOT: _ClassVar[LineageFormat]
    LINEAGE_FORMAT_MERMAID: _ClassVar[LineageFormat]
    LINEAGE_FORMAT_OPENLINEAGE: _ClassVar[LineageFormat]
    LINEAGE_FORMAT_PROV_JSON: _ClassVar[LineageFormat]
LINEAGE_CUT_UNSPECIFIED: LineageCut
LINEAGE_CUT_PAGE: LineageCut
LINEAGE_CUT_HOPS: LineageCut
LINEAGE_CUT_DURATION: LineageCut
LINEAGE_CUT_ENDING: LineageCut
LINEAGE_CUT_WINDOW: LineageCut
LINEAGE_DETAIL_UNSPECIFIED: LineageDetail
LINEAGE_DETAIL_NAMES: LineageDetail
LINEAGE_DETAIL_PROPERTIES: LineageDetail
LINEAGE_EDGE_KIND_UNSPECIFIED: LineageEdgeKind
LINEAGE_EDGE_KIND_INPUT: LineageEdgeKind
LINEAGE_EDGE_KIND_OUTPUT: LineageEdgeKind
LINEAGE_EDGE_KIND_HIDDEN: LineageEdgeKind
LINEAGE_EDGE_KIND_SAME_CONTENT: LineageEdgeKind
LINEAGE_ASPECT_UNSPECIFIED: LineageAspect
LINEAGE_ASPECT_INPUT: LineageAspect
LINEAGE_ASPECT_PARAMETER: LineageAspect
LINEAGE_ASPECT_CODE: LineageAspect
LINEAGE_ASPECT_METRIC: LineageAspect
LINEAGE_ASPECT_STEP: LineageAspect
LINEAGE_DIRECTION_UNSPECIFIED: LineageDirection
LINEAGE_DIRECTION_UPSTREAM: LineageDirection
LINEAGE_DIRECTION_DOWNSTREAM: LineageDirection
LINEAGE_FORMAT_UNSPECIFIED: LineageFormat
LINEAGE_FORMAT_SVG: LineageFormat
LINEAGE_FORMAT_DOT: LineageFormat
LINEAGE_FORMAT_MERMAID: LineageFormat
LINEAGE_FORMAT_OPENLINEAGE: LineageFormat
LINEAGE_FORMAT_PROV_JSON: LineageFormat

class LineageRef(_message.Message):
    __slots__ = ("artifact_id", "execution_id")
    ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    artifact_id: int
    execution_id: int
    def __init__(self, artifact_id: _Optional[int] = ..., execution_id: _Optional[int] = ...) -> None: ...

class LineageOptions(_message.Message):
    __slots__ = ("max_hops", "max_duration_ms", "since_ms", "until_ms", "ending_artifacts", "ending_executions", "with_system_nodes", "collapse_repeats", "join_digests", "detail")
    MAX_HOPS_FIELD_NUMBER: _ClassVar[int]
    MAX_DURATION_MS_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    ENDING_ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    ENDING_EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    WITH_SYSTEM_NODES_FIELD_NUMBER: _ClassVar[int]
    COLLAPSE_REPEATS_FIELD_NUMBER: _ClassVar[int]
    JOIN_DIGESTS_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    max_hops: int
    max_duration_ms: int
    since_ms: int
    until_ms: int
    ending_artifacts: str
    ending_executions: str
    with_system_nodes: bool
    collapse_repeats: bool
    join_digests: bool
    detail: LineageDetail
    def __init__(self, max_hops: _Optional[int] = ..., max_duration_ms: _Optional[int] = ..., since_ms: _Optional[int] = ..., until_ms: _Optional[int] = ..., ending_artifacts: _Optional[str] = ..., ending_executions: _Optional[str] = ..., with_system_nodes: bool = ..., collapse_repeats: bool = ..., join_digests: bool = ..., detail: _Optional[_Union[LineageDetail, str]] = ...) -> None: ...

class LineageValue(_message.Message):
    __slots__ = ("int_value", "double_value", "string_value", "bool_value", "json_value")
    INT_VALUE_FIELD_NUMBER: _ClassVar[int]
    DOUBLE_VALUE_FIELD_NUMBER: _ClassVar[int]
    STRING_VALUE_FIELD_NUMBER: _ClassVar[int]
    BOOL_VALUE_FIELD_NUMBER: _ClassVar[int]
    JSON_VALUE_FIELD_NUMBER: _ClassVar[int]
    int_value: int
    double_value: float
    string_value: str
    bool_value: bool
    json_value: str
    def __init__(self, int_value: _Optional[int] = ..., double_value: _Optional[float] = ..., string_value: _Optional[str] = ..., bool_value: bool = ..., json_value: _Optional[str] = ...) -> None: ...

class LineageVersion(_message.Message):
    __slots__ = ("context_id", "type_name", "name", "number", "aliases", "is_latest")
    CONTEXT_ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_NAME_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    IS_LATEST_FIELD_NUMBER: _ClassVar[int]
    context_id: int
    type_name: str
    name: str
    number: int
    aliases: _containers.RepeatedScalarFieldContainer[str]
    is_latest: bool
    def __init__(self, context_id: _Optional[int] = ..., type_name: _Optional[str] = ..., name: _Optional[str] = ..., number: _Optional[int] = ..., aliases: _Optional[_Iterable[str]] = ..., is_latest: bool = ...) -> None: ...

class LineageNode(_message.Message):
    __slots__ = ("node", "type", "name", "uri", "state", "create_ms", "update_ms", "hops", "cut", "gone", "versions", "properties", "repeats")
    class PropertiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: LineageValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[LineageValue, _Mapping]] = ...) -> None: ...
    NODE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CREATE_MS_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MS_FIELD_NUMBER: _ClassVar[int]
    HOPS_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    GONE_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    REPEATS_FIELD_NUMBER: _ClassVar[int]
    node: LineageRef
    type: str
    name: str
    uri: str
    state: str
    create_ms: int
    update_ms: int
    hops: int
    cut: LineageCut
    gone: bool
    versions: _containers.RepeatedCompositeFieldContainer[LineageVersion]
    properties: _containers.MessageMap[str, LineageValue]
    repeats: _containers.RepeatedCompositeFieldContainer[LineageRef]
    def __init__(self, node: _Optional[_Union[LineageRef, _Mapping]] = ..., type: _Optional[str] = ..., name: _Optional[str] = ..., uri: _Optional[str] = ..., state: _Optional[str] = ..., create_ms: _Optional[int] = ..., update_ms: _Optional[int] = ..., hops: _Optional[int] = ..., cut: _Optional[_Union[LineageCut, str]] = ..., gone: bool = ..., versions: _Optional[_Iterable[_Union[LineageVersion, _Mapping]]] = ..., properties: _Optional[_Mapping[str, LineageValue]] = ..., repeats: _Optional[_Iterable[_Union[LineageRef, _Mapping]]] = ...) -> None: ...

class LineageEdge(_message.Message):
    __slots__ = ("source", "target", "kind", "key", "time_ms")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    source: LineageRef
    target: LineageRef
    kind: LineageEdgeKind
    key: str
    time_ms: int
    def __init__(self, source: _Optional[_Union[LineageRef, _Mapping]] = ..., target: _Optional[_Union[LineageRef, _Mapping]] = ..., kind: _Optional[_Union[LineageEdgeKind, str]] = ..., key: _Optional[str] = ..., time_ms: _Optional[int] = ...) -> None: ...

class LineagePage(_message.Message):
    __slots__ = ("nodes", "edges")
    NODES_FIELD_NUMBER: _ClassVar[int]
    EDGES_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedCompositeFieldContainer[LineageNode]
    edges: _containers.RepeatedCompositeFieldContainer[LineageEdge]
    def __init__(self, nodes: _Optional[_Iterable[_Union[LineageNode, _Mapping]]] = ..., edges: _Optional[_Iterable[_Union[LineageEdge, _Mapping]]] = ...) -> None: ...

class DataSource(_message.Message):
    __slots__ = ("node", "type", "name", "uri", "versions", "is_origin", "hops")
    NODE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    IS_ORIGIN_FIELD_NUMBER: _ClassVar[int]
    HOPS_FIELD_NUMBER: _ClassVar[int]
    node: LineageRef
    type: str
    name: str
    uri: str
    versions: _containers.RepeatedCompositeFieldContainer[LineageVersion]
    is_origin: bool
    hops: int
    def __init__(self, node: _Optional[_Union[LineageRef, _Mapping]] = ..., type: _Optional[str] = ..., name: _Optional[str] = ..., uri: _Optional[str] = ..., versions: _Optional[_Iterable[_Union[LineageVersion, _Mapping]]] = ..., is_origin: bool = ..., hops: _Optional[int] = ...) -> None: ...

class CodeVersion(_message.Message):
    __slots__ = ("execution", "step", "repository", "commit", "branch", "source", "image", "dirty")
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    REPOSITORY_FIELD_NUMBER: _ClassVar[int]
    COMMIT_FIELD_NUMBER: _ClassVar[int]
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    DIRTY_FIELD_NUMBER: _ClassVar[int]
    execution: LineageRef
    step: str
    repository: str
    commit: str
    branch: str
    source: str
    image: str
    dirty: bool
    def __init__(self, execution: _Optional[_Union[LineageRef, _Mapping]] = ..., step: _Optional[str] = ..., repository: _Optional[str] = ..., commit: _Optional[str] = ..., branch: _Optional[str] = ..., source: _Optional[str] = ..., image: _Optional[str] = ..., dirty: bool = ...) -> None: ...

class StepParameters(_message.Message):
    __slots__ = ("execution", "step", "parameters")
    class ParametersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: LineageValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[LineageValue, _Mapping]] = ...) -> None: ...
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    execution: LineageRef
    step: str
    parameters: _containers.MessageMap[str, LineageValue]
    def __init__(self, execution: _Optional[_Union[LineageRef, _Mapping]] = ..., step: _Optional[str] = ..., parameters: _Optional[_Mapping[str, LineageValue]] = ...) -> None: ...

class GetProvenanceRequest(_message.Message):
    __slots__ = ("node", "options", "page_size", "page_token", "graph_only")
    NODE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    GRAPH_ONLY_FIELD_NUMBER: _ClassVar[int]
    node: LineageRef
    options: LineageOptions
    page_size: int
    page_token: str
    graph_only: bool
    def __init__(self, node: _Optional[_Union[LineageRef, _Mapping]] = ..., options: _Optional[_Union[LineageOptions, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., graph_only: bool = ...) -> None: ...

class GetProvenanceResponse(_message.Message):
    __slots__ = ("data", "code", "parameters", "graph", "next_page_token", "deeper_page_token")
    DATA_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    GRAPH_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    DEEPER_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    data: _containers.RepeatedCompositeFieldContainer[DataSource]
    code: _containers.RepeatedCompositeFieldContainer[CodeVersion]
    parameters: _containers.RepeatedCompositeFieldContainer[StepParameters]
    graph: LineagePage
    next_page_token: str
    deeper_page_token: str
    def __init__(self, data: _Optional[_Iterable[_Union[DataSource, _Mapping]]] = ..., code: _Optional[_Iterable[_Union[CodeVersion, _Mapping]]] = ..., parameters: _Optional[_Iterable[_Union[StepParameters, _Mapping]]] = ..., graph: _Optional[_Union[LineagePage, _Mapping]] = ..., next_page_token: _Optional[str] = ..., deeper_page_token: _Optional[str] = ...) -> None: ...

class ModelDeployment(_message.Message):
    __slots__ = ("context_id", "execution_id", "name", "state", "environment")
    CONTEXT_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    context_id: int
    execution_id: int
    name: str
    state: str
    environment: str
    def __init__(self, context_id: _Optional[int] = ..., execution_id: _Optional[int] = ..., name: _Optional[str] = ..., state: _Optional[str] = ..., environment: _Optional[str] = ...) -> None: ...

class ModelRegistration(_message.Message):
    __slots__ = ("model", "version", "aliases", "context_id", "state", "deployments")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENTS_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: str
    aliases: _containers.RepeatedScalarFieldContainer[str]
    context_id: int
    state: str
    deployments: _containers.RepeatedCompositeFieldContainer[ModelDeployment]
    def __init__(self, model: _Optional[str] = ..., version: _Optional[str] = ..., aliases: _Optional[_Iterable[str]] = ..., context_id: _Optional[int] = ..., state: _Optional[str] = ..., deployments: _Optional[_Iterable[_Union[ModelDeployment, _Mapping]]] = ...) -> None: ...

class ImpactedModel(_message.Message):
    __slots__ = ("node", "type", "name", "uri", "hops", "registrations")
    NODE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    HOPS_FIELD_NUMBER: _ClassVar[int]
    REGISTRATIONS_FIELD_NUMBER: _ClassVar[int]
    node: LineageRef
    type: str
    name: str
    uri: str
    hops: int
    registrations: _containers.RepeatedCompositeFieldContainer[ModelRegistration]
    def __init__(self, node: _Optional[_Union[LineageRef, _Mapping]] = ..., type: _Optional[str] = ..., name: _Optional[str] = ..., uri: _Optional[str] = ..., hops: _Optional[int] = ..., registrations: _Optional[_Iterable[_Union[ModelRegistration, _Mapping]]] = ...) -> None: ...

class GetImpactRequest(_message.Message):
    __slots__ = ("node", "options", "page_size", "page_token", "graph_only")
    NODE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    GRAPH_ONLY_FIELD_NUMBER: _ClassVar[int]
    node: LineageRef
    options: LineageOptions
    page_size: int
    page_token: str
    graph_only: bool
    def __init__(self, node: _Optional[_Union[LineageRef, _Mapping]] = ..., options: _Optional[_Union[LineageOptions, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., graph_only: bool = ...) -> None: ...

class GetImpactResponse(_message.Message):
    __slots__ = ("models", "graph", "next_page_token", "deeper_page_token")
    MODELS_FIELD_NUMBER: _ClassVar[int]
    GRAPH_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    DEEPER_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[ImpactedModel]
    graph: LineagePage
    next_page_token: str
    deeper_page_token: str
    def __init__(self, models: _Optional[_Iterable[_Union[ImpactedModel, _Mapping]]] = ..., graph: _Optional[_Union[LineagePage, _Mapping]] = ..., next_page_token: _Optional[str] = ..., deeper_page_token: _Optional[str] = ...) -> None: ...

class FindPathRequest(_message.Message):
    __slots__ = ("first", "second", "options")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    SECOND_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    first: LineageRef
    second: LineageRef
    options: LineageOptions
    def __init__(self, first: _Optional[_Union[LineageRef, _Mapping]] = ..., second: _Optional[_Union[LineageRef, _Mapping]] = ..., options: _Optional[_Union[LineageOptions, _Mapping]] = ...) -> None: ...

class FindPathResponse(_message.Message):
    __slots__ = ("found", "reversed", "path", "cut")
    FOUND_FIELD_NUMBER: _ClassVar[int]
    REVERSED_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    found: bool
    reversed: bool
    path: LineagePage
    cut: LineageCut
    def __init__(self, found: bool = ..., reversed: bool = ..., path: _Optional[_Union[LineagePage, _Mapping]] = ..., cut: _Optional[_Union[LineageCut, str]] = ...) -> None: ...

class LineageDifference(_message.Message):
    __slots__ = ("aspect", "name", "first", "second", "first_node", "second_node")
    ASPECT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    SECOND_FIELD_NUMBER: _ClassVar[int]
    FIRST_NODE_FIELD_NUMBER: _ClassVar[int]
    SECOND_NODE_FIELD_NUMBER: _ClassVar[int]
    aspect: LineageAspect
    name: str
    first: LineageValue
    second: LineageValue
    first_node: LineageRef
    second_node: LineageRef
    def __init__(self, aspect: _Optional[_Union[LineageAspect, str]] = ..., name: _Optional[str] = ..., first: _Optional[_Union[LineageValue, _Mapping]] = ..., second: _Optional[_Union[LineageValue, _Mapping]] = ..., first_node: _Optional[_Union[LineageRef, _Mapping]] = ..., second_node: _Optional[_Union[LineageRef, _Mapping]] = ...) -> None: ...

class StepDifference(_message.Message):
    __slots__ = ("step", "first_execution", "second_execution", "differences", "hops")
    STEP_FIELD_NUMBER: _ClassVar[int]
    FIRST_EXECUTION_FIELD_NUMBER: _ClassVar[int]
    SECOND_EXECUTION_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    HOPS_FIELD_NUMBER: _ClassVar[int]
    step: str
    first_execution: LineageRef
    second_execution: LineageRef
    differences: _containers.RepeatedCompositeFieldContainer[LineageDifference]
    hops: int
    def __init__(self, step: _Optional[str] = ..., first_execution: _Optional[_Union[LineageRef, _Mapping]] = ..., second_execution: _Optional[_Union[LineageRef, _Mapping]] = ..., differences: _Optional[_Iterable[_Union[LineageDifference, _Mapping]]] = ..., hops: _Optional[int] = ...) -> None: ...

class DiffProvenanceRequest(_message.Message):
    __slots__ = ("first", "second", "options")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    SECOND_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    first: LineageRef
    second: LineageRef
    options: LineageOptions
    def __init__(self, first: _Optional[_Union[LineageRef, _Mapping]] = ..., second: _Optional[_Union[LineageRef, _Mapping]] = ..., options: _Optional[_Union[LineageOptions, _Mapping]] = ...) -> None: ...

class DiffProvenanceResponse(_message.Message):
    __slots__ = ("steps", "is_cut", "same_content")
    STEPS_FIELD_NUMBER: _ClassVar[int]
    IS_CUT_FIELD_NUMBER: _ClassVar[int]
    SAME_CONTENT_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedCompositeFieldContainer[StepDifference]
    is_cut: bool
    same_content: bool
    def __init__(self, steps: _Optional[_Iterable[_Union[StepDifference, _Mapping]]] = ..., is_cut: bool = ..., same_content: bool = ...) -> None: ...

class ExportGraphRequest(_message.Message):
    __slots__ = ("node", "direction", "format", "options", "max_nodes", "only")
    NODE_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    MAX_NODES_FIELD_NUMBER: _ClassVar[int]
    ONLY_FIELD_NUMBER: _ClassVar[int]
    node: LineageRef
    direction: LineageDirection
    format: LineageFormat
    options: LineageOptions
    max_nodes: int
    only: _containers.RepeatedCompositeFieldContainer[LineageRef]
    def __init__(self, node: _Optional[_Union[LineageRef, _Mapping]] = ..., direction: _Optional[_Union[LineageDirection, str]] = ..., format: _Optional[_Union[LineageFormat, str]] = ..., options: _Optional[_Union[LineageOptions, _Mapping]] = ..., max_nodes: _Optional[int] = ..., only: _Optional[_Iterable[_Union[LineageRef, _Mapping]]] = ...) -> None: ...

class ExportGraphResponse(_message.Message):
    __slots__ = ("content", "media_type", "is_cut")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    IS_CUT_FIELD_NUMBER: _ClassVar[int]
    content: str
    media_type: str
    is_cut: bool
    def __init__(self, content: _Optional[str] = ..., media_type: _Optional[str] = ..., is_cut: bool = ...) -> None: ...
