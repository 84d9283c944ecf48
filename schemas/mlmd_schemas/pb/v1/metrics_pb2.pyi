from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EvaluationOrigin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVALUATION_ORIGIN_UNSPECIFIED: _ClassVar[EvaluationOrigin]
    EVALUATION_ORIGIN_LOGGED: _ClassVar[EvaluationOrigin]
    EVALUATION_ORIGIN_KUBEFLOW: _ClassVar[EvaluationOrigin]

class FigureSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FIGURE_SOURCE_UNSPECIFIED: _ClassVar[FigureSource]
    FIGURE_SOURCE_SCALAR: _ClassVar[FigureSource]
    FIGURE_SOURCE_SERIES: _ClassVar[FigureSource]
    FIGURE_SOURCE_EVALUATION: _ClassVar[FigureSource]
EVALUATION_ORIGIN_UNSPECIFIED: EvaluationOrigin
EVALUATION_ORIGIN_LOGGED: EvaluationOrigin
EVALUATION_ORIGIN_KUBEFLOW: EvaluationOrigin
FIGURE_SOURCE_UNSPECIFIED: FigureSource
FIGURE_SOURCE_SCALAR: FigureSource
FIGURE_SOURCE_SERIES: FigureSource
FIGURE_SOURCE_EVALUATION: FigureSource

class MetricOwner(_message.Message):
    __slots__ = ("artifact_id", "execution_id")
    ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    artifact_id: int
    execution_id: int
    def __init__(self, artifact_id: _Optional[int] = ..., execution_id: _Optional[int] = ...) -> None: ...

class MetricKey(_message.Message):
    __slots__ = ("owner", "name", "slice")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SLICE_FIELD_NUMBER: _ClassVar[int]
    owner: MetricOwner
    name: str
    slice: str
    def __init__(self, owner: _Optional[_Union[MetricOwner, _Mapping]] = ..., name: _Optional[str] = ..., slice: _Optional[str] = ...) -> None: ...

class SeriesData(_message.Message):
    __slots__ = ("key", "steps", "times_ms", "values")
    KEY_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    TIMES_MS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    key: MetricKey
    steps: _containers.RepeatedScalarFieldContainer[int]
    times_ms: _containers.RepeatedScalarFieldContainer[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, key: _Optional[_Union[MetricKey, _Mapping]] = ..., steps: _Optional[_Iterable[int]] = ..., times_ms: _Optional[_Iterable[int]] = ..., values: _Optional[_Iterable[float]] = ...) -> None: ...

class SeriesInfo(_message.Message):
    __slots__ = ("key", "points", "first_step", "last_step", "last_ms", "last_value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    FIRST_STEP_FIELD_NUMBER: _ClassVar[int]
    LAST_STEP_FIELD_NUMBER: _ClassVar[int]
    LAST_MS_FIELD_NUMBER: _ClassVar[int]
    LAST_VALUE_FIELD_NUMBER: _ClassVar[int]
    key: MetricKey
    points: int
    first_step: int
    last_step: int
    last_ms: int
    last_value: float
    def __init__(self, key: _Optional[_Union[MetricKey, _Mapping]] = ..., points: _Optional[int] = ..., first_step: _Optional[int] = ..., last_step: _Optional[int] = ..., last_ms: _Optional[int] = ..., last_value: _Optional[float] = ...) -> None: ...

class SeriesSample(_message.Message):
    __slots__ = ("key", "steps", "times_ms", "values", "total_points")
    KEY_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    TIMES_MS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_POINTS_FIELD_NUMBER: _ClassVar[int]
    key: MetricKey
    steps: _containers.RepeatedScalarFieldContainer[int]
    times_ms: _containers.RepeatedScalarFieldContainer[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    total_points: int
    def __init__(self, key: _Optional[_Union[MetricKey, _Mapping]] = ..., steps: _Optional[_Iterable[int]] = ..., times_ms: _Optional[_Iterable[int]] = ..., values: _Optional[_Iterable[float]] = ..., total_points: _Optional[int] = ...) -> None: ...

class MatrixCounts(_message.Message):
    __slots__ = ("labels", "counts", "weighted_counts")
    LABELS_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    WEIGHTED_COUNTS_FIELD_NUMBER: _ClassVar[int]
    labels: _containers.RepeatedScalarFieldContainer[str]
    counts: _containers.RepeatedScalarFieldContainer[int]
    weighted_counts: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, labels: _Optional[_Iterable[str]] = ..., counts: _Optional[_Iterable[int]] = ..., weighted_counts: _Optional[_Iterable[float]] = ...) -> None: ...

class CurveCutoffs(_message.Message):
    __slots__ = ("label", "thresholds", "true_positives", "false_positives")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    TRUE_POSITIVES_FIELD_NUMBER: _ClassVar[int]
    FALSE_POSITIVES_FIELD_NUMBER: _ClassVar[int]
    label: str
    thresholds: _containers.RepeatedScalarFieldContainer[float]
    true_positives: _containers.RepeatedScalarFieldContainer[int]
    false_positives: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, label: _Optional[str] = ..., thresholds: _Optional[_Iterable[float]] = ..., true_positives: _Optional[_Iterable[int]] = ..., false_positives: _Optional[_Iterable[int]] = ...) -> None: ...

class MetricInterval(_message.Message):
    __slots__ = ("estimate", "low", "high", "level", "method")
    ESTIMATE_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    estimate: float
    low: float
    high: float
    level: float
    method: str
    def __init__(self, estimate: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., level: _Optional[float] = ..., method: _Optional[str] = ...) -> None: ...

class ClassRates(_message.Message):
    __slots__ = ("label", "precision", "recall", "f1", "support")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    RECALL_FIELD_NUMBER: _ClassVar[int]
    F1_FIELD_NUMBER: _ClassVar[int]
    SUPPORT_FIELD_NUMBER: _ClassVar[int]
    label: str
    precision: float
    recall: float
    f1: float
    support: float
    def __init__(self, label: _Optional[str] = ..., precision: _Optional[float] = ..., recall: _Optional[float] = ..., f1: _Optional[float] = ..., support: _Optional[float] = ...) -> None: ...

class RocPoints(_message.Message):
    __slots__ = ("false_positive_rate", "true_positive_rate", "thresholds")
    FALSE_POSITIVE_RATE_FIELD_NUMBER: _ClassVar[int]
    TRUE_POSITIVE_RATE_FIELD_NUMBER: _ClassVar[int]
    THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    false_positive_rate: _containers.RepeatedScalarFieldContainer[float]
    true_positive_rate: _containers.RepeatedScalarFieldContainer[float]
    thresholds: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, false_positive_rate: _Optional[_Iterable[float]] = ..., true_positive_rate: _Optional[_Iterable[float]] = ..., thresholds: _Optional[_Iterable[float]] = ...) -> None: ...

class PrecisionRecallPoints(_message.Message):
    __slots__ = ("precision", "recall", "thresholds")
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    RECALL_FIELD_NUMBER: _ClassVar[int]
    THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    precision: _containers.RepeatedScalarFieldContainer[float]
    recall: _containers.RepeatedScalarFieldContainer[float]
    thresholds: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, precision: _Optional[_Iterable[float]] = ..., recall: _Optional[_Iterable[float]] = ..., thresholds: _Optional[_Iterable[float]] = ...) -> None: ...

class CalibrationBin(_message.Message):
    __slots__ = ("lower", "upper", "rows", "positives", "mean_probability", "positive_rate")
    LOWER_FIELD_NUMBER: _ClassVar[int]
    UPPER_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    POSITIVES_FIELD_NUMBER: _ClassVar[int]
    MEAN_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    POSITIVE_RATE_FIELD_NUMBER: _ClassVar[int]
    lower: float
    upper: float
    rows: int
    positives: int
    mean_probability: float
    positive_rate: float
    def __init__(self, lower: _Optional[float] = ..., upper: _Optional[float] = ..., rows: _Optional[int] = ..., positives: _Optional[int] = ..., mean_probability: _Optional[float] = ..., positive_rate: _Optional[float] = ...) -> None: ...

class EvaluatedCurve(_message.Message):
    __slots__ = ("label", "positives", "negatives", "cutoff_count", "cutoffs", "roc", "precision_recall", "calibration")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    POSITIVES_FIELD_NUMBER: _ClassVar[int]
    NEGATIVES_FIELD_NUMBER: _ClassVar[int]
    CUTOFF_COUNT_FIELD_NUMBER: _ClassVar[int]
    CUTOFFS_FIELD_NUMBER: _ClassVar[int]
    ROC_FIELD_NUMBER: _ClassVar[int]
    PRECISION_RECALL_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    label: str
    positives: int
    negatives: int
    cutoff_count: int
    cutoffs: CurveCutoffs
    roc: RocPoints
    precision_recall: PrecisionRecallPoints
    calibration: _containers.RepeatedCompositeFieldContainer[CalibrationBin]
    def __init__(self, label: _Optional[str] = ..., positives: _Optional[int] = ..., negatives: _Optional[int] = ..., cutoff_count: _Optional[int] = ..., cutoffs: _Optional[_Union[CurveCutoffs, _Mapping]] = ..., roc: _Optional[_Union[RocPoints, _Mapping]] = ..., precision_recall: _Optional[_Union[PrecisionRecallPoints, _Mapping]] = ..., calibration: _Optional[_Iterable[_Union[CalibrationBin, _Mapping]]] = ...) -> None: ...

class Evaluation(_message.Message):
    __slots__ = ("key", "origin", "matrix", "curves", "figures", "intervals", "classes", "update_ms", "problem")
    class FiguresEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class IntervalsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: MetricInterval
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[MetricInterval, _Mapping]] = ...) -> None: ...
    KEY_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    MATRIX_FIELD_NUMBER: _ClassVar[int]
    CURVES_FIELD_NUMBER: _ClassVar[int]
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    INTERVALS_FIELD_NUMBER: _ClassVar[int]
    CLASSES_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MS_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    key: MetricKey
    origin: EvaluationOrigin
    matrix: MatrixCounts
    curves: _containers.RepeatedCompositeFieldContainer[EvaluatedCurve]
    figures: _containers.ScalarMap[str, float]
    intervals: _containers.MessageMap[str, MetricInterval]
    classes: _containers.RepeatedCompositeFieldContainer[ClassRates]
    update_ms: int
    problem: str
    def __init__(self, key: _Optional[_Union[MetricKey, _Mapping]] = ..., origin: _Optional[_Union[EvaluationOrigin, str]] = ..., matrix: _Optional[_Union[MatrixCounts, _Mapping]] = ..., curves: _Optional[_Iterable[_Union[EvaluatedCurve, _Mapping]]] = ..., figures: _Optional[_Mapping[str, float]] = ..., intervals: _Optional[_Mapping[str, MetricInterval]] = ..., classes: _Optional[_Iterable[_Union[ClassRates, _Mapping]]] = ..., update_ms: _Optional[int] = ..., problem: _Optional[str] = ...) -> None: ...

class EvaluationInput(_message.Message):
    __slots__ = ("key", "matrix", "curves")
    KEY_FIELD_NUMBER: _ClassVar[int]
    MATRIX_FIELD_NUMBER: _ClassVar[int]
    CURVES_FIELD_NUMBER: _ClassVar[int]
    key: MetricKey
    matrix: MatrixCounts
    curves: _containers.RepeatedCompositeFieldContainer[CurveCutoffs]
    def __init__(self, key: _Optional[_Union[MetricKey, _Mapping]] = ..., matrix: _Optional[_Union[MatrixCounts, _Mapping]] = ..., curves: _Optional[_Iterable[_Union[CurveCutoffs, _Mapping]]] = ...) -> None: ...

class LogScalarsRequest(_message.Message):
    __slots__ = ("owner", "scalars")
    class ScalarsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    OWNER_FIELD_NUMBER: _ClassVar[int]
    SCALARS_FIELD_NUMBER: _ClassVar[int]
    owner: MetricOwner
    scalars: _containers.ScalarMap[str, float]
    def __init__(self, owner: _Optional[_Union[MetricOwner, _Mapping]] = ..., scalars: _Optional[_Mapping[str, float]] = ...) -> None: ...

class LogScalarsResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class LogSeriesRequest(_message.Message):
    __slots__ = ("series",)
    SERIES_FIELD_NUMBER: _ClassVar[int]
    series: _containers.RepeatedCompositeFieldContainer[SeriesData]
    def __init__(self, series: _Optional[_Iterable[_Union[SeriesData, _Mapping]]] = ...) -> None: ...

class LogSeriesResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListSeriesRequest(_message.Message):
    __slots__ = ("owners",)
    OWNERS_FIELD_NUMBER: _ClassVar[int]
    owners: _containers.RepeatedCompositeFieldContainer[MetricOwner]
    def __init__(self, owners: _Optional[_Iterable[_Union[MetricOwner, _Mapping]]] = ...) -> None: ...

class ListSeriesResponse(_message.Message):
    __slots__ = ("series",)
    SERIES_FIELD_NUMBER: _ClassVar[int]
    series: _containers.RepeatedCompositeFieldContainer[SeriesInfo]
    def __init__(self, series: _Optional[_Iterable[_Union[SeriesInfo, _Mapping]]] = ...) -> None: ...

class ReadSeriesRequest(_message.Message):
    __slots__ = ("owners", "names", "slice", "points", "from_step", "to_step")
    OWNERS_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    SLICE_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    FROM_STEP_FIELD_NUMBER: _ClassVar[int]
    TO_STEP_FIELD_NUMBER: _ClassVar[int]
    owners: _containers.RepeatedCompositeFieldContainer[MetricOwner]
    names: _containers.RepeatedScalarFieldContainer[str]
    slice: str
    points: int
    from_step: int
    to_step: int
    def __init__(self, owners: _Optional[_Iterable[_Union[MetricOwner, _Mapping]]] = ..., names: _Optional[_Iterable[str]] = ..., slice: _Optional[str] = ..., points: _Optional[int] = ..., from_step: _Optional[int] = ..., to_step: _Optional[int] = ...) -> None: ...

class ReadSeriesResponse(_message.Message):
    __slots__ = ("series",)
    SERIES_FIELD_NUMBER: _ClassVar[int]
    series: _containers.RepeatedCompositeFieldContainer[SeriesSample]
    def __init__(self, series: _Optional[_Iterable[_Union[SeriesSample, _Mapping]]] = ...) -> None: ...

class ListSeriesPointsRequest(_message.Message):
    __slots__ = ("key", "page_size", "page_token", "from_step", "to_step")
    KEY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FROM_STEP_FIELD_NUMBER: _ClassVar[int]
    TO_STEP_FIELD_NUMBER: _ClassVar[int]
    key: MetricKey
    page_size: int
    page_token: str
    from_step: int
    to_step: int
    def __init__(self, key: _Optional[_Union[MetricKey, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., from_step: _Optional[int] = ..., to_step: _Optional[int] = ...) -> None: ...

class ListSeriesPointsResponse(_message.Message):
    __slots__ = ("steps", "times_ms", "values", "next_page_token")
    STEPS_FIELD_NUMBER: _ClassVar[int]
    TIMES_MS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedScalarFieldContainer[int]
    times_ms: _containers.RepeatedScalarFieldContainer[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    next_page_token: str
    def __init__(self, steps: _Optional[_Iterable[int]] = ..., times_ms: _Optional[_Iterable[int]] = ..., values: _Optional[_Iterable[float]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class LogEvaluationRequest(_message.Message):
    __slots__ = ("evaluations",)
    EVALUATIONS_FIELD_NUMBER: _ClassVar[int]
    evaluations: _containers.RepeatedCompositeFieldContainer[EvaluationInput]
    def __init__(self, evaluations: _Optional[_Iterable[_Union[EvaluationInput, _Mapping]]] = ...) -> None: ...

class LogEvaluationResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class LogConfusionMatrixRequest(_message.Message):
    __slots__ = ("key", "matrix")
    KEY_FIELD_NUMBER: _ClassVar[int]
    MATRIX_FIELD_NUMBER: _ClassVar[int]
    key: MetricKey
    matrix: MatrixCounts
    def __init__(self, key: _Optional[_Union[MetricKey, _Mapping]] = ..., matrix: _Optional[_Union[MatrixCounts, _Mapping]] = ...) -> None: ...

class LogConfusionMatrixResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class LogCurveRequest(_message.Message):
    __slots__ = ("key", "curve")
    KEY_FIELD_NUMBER: _ClassVar[int]
    CURVE_FIELD_NUMBER: _ClassVar[int]
    key: MetricKey
    curve: CurveCutoffs
    def __init__(self, key: _Optional[_Union[MetricKey, _Mapping]] = ..., curve: _Optional[_Union[CurveCutoffs, _Mapping]] = ...) -> None: ...

class LogCurveResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetEvaluationsRequest(_message.Message):
    __slots__ = ("owners", "name", "slice", "curve_points", "with_cutoffs", "level")
    OWNERS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SLICE_FIELD_NUMBER: _ClassVar[int]
    CURVE_POINTS_FIELD_NUMBER: _ClassVar[int]
    WITH_CUTOFFS_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    owners: _containers.RepeatedCompositeFieldContainer[MetricOwner]
    name: str
    slice: str
    curve_points: int
    with_cutoffs: bool
    level: float
    def __init__(self, owners: _Optional[_Iterable[_Union[MetricOwner, _Mapping]]] = ..., name: _Optional[str] = ..., slice: _Optional[str] = ..., curve_points: _Optional[int] = ..., with_cutoffs: bool = ..., level: _Optional[float] = ...) -> None: ...

class GetEvaluationsResponse(_message.Message):
    __slots__ = ("evaluations",)
    EVALUATIONS_FIELD_NUMBER: _ClassVar[int]
    evaluations: _containers.RepeatedCompositeFieldContainer[Evaluation]
    def __init__(self, evaluations: _Optional[_Iterable[_Union[Evaluation, _Mapping]]] = ...) -> None: ...

class MatrixAtThresholdRequest(_message.Message):
    __slots__ = ("key", "label", "threshold")
    KEY_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    key: MetricKey
    label: str
    threshold: float
    def __init__(self, key: _Optional[_Union[MetricKey, _Mapping]] = ..., label: _Optional[str] = ..., threshold: _Optional[float] = ...) -> None: ...

class MatrixAtThresholdResponse(_message.Message):
    __slots__ = ("matrix", "figures")
    class FiguresEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    MATRIX_FIELD_NUMBER: _ClassVar[int]
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    matrix: MatrixCounts
    figures: _containers.ScalarMap[str, float]
    def __init__(self, matrix: _Optional[_Union[MatrixCounts, _Mapping]] = ..., figures: _Optional[_Mapping[str, float]] = ...) -> None: ...

class CompareRequest(_message.Message):
    __slots__ = ("owners", "evaluation_name")
    OWNERS_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_NAME_FIELD_NUMBER: _ClassVar[int]
    owners: _containers.RepeatedCompositeFieldContainer[MetricOwner]
    evaluation_name: str
    def __init__(self, owners: _Optional[_Iterable[_Union[MetricOwner, _Mapping]]] = ..., evaluation_name: _Optional[str] = ...) -> None: ...

class ComparedFigure(_message.Message):
    __slots__ = ("source", "name", "slice", "figure", "values", "present")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SLICE_FIELD_NUMBER: _ClassVar[int]
    FIGURE_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    PRESENT_FIELD_NUMBER: _ClassVar[int]
    source: FigureSource
    name: str
    slice: str
    figure: str
    values: _containers.RepeatedScalarFieldContainer[float]
    present: _containers.RepeatedScalarFieldContainer[bool]
    def __init__(self, source: _Optional[_Union[FigureSource, str]] = ..., name: _Optional[str] = ..., slice: _Optional[str] = ..., figure: _Optional[str] = ..., values: _Optional[_Iterable[float]] = ..., present: _Optional[_Iterable[bool]] = ...) -> None: ...

class CompareResponse(_message.Message):
    __slots__ = ("owners", "figures")
    OWNERS_FIELD_NUMBER: _ClassVar[int]
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    owners: _containers.RepeatedCompositeFieldContainer[MetricOwner]
    figures: _containers.RepeatedCompositeFieldContainer[ComparedFigure]
    def __init__(self, owners: _Optional[_Iterable[_Union[MetricOwner, _Mapping]]] = ..., figures: _Optional[_Iterable[_Union[ComparedFigure, _Mapping]]] = ...) -> None: ...

class MatrixChoice(_message.Message):
    __slots__ = ("key", "threshold", "label")
    KEY_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    key: MetricKey
    threshold: float
    label: str
    def __init__(self, key: _Optional[_Union[MetricKey, _Mapping]] = ..., threshold: _Optional[float] = ..., label: _Optional[str] = ...) -> None: ...

class DiffMatricesRequest(_message.Message):
    __slots__ = ("before", "after", "as_rates")
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    AS_RATES_FIELD_NUMBER: _ClassVar[int]
    before: MatrixChoice
    after: MatrixChoice
    as_rates: bool
    def __init__(self, before: _Optional[_Union[MatrixChoice, _Mapping]] = ..., after: _Optional[_Union[MatrixChoice, _Mapping]] = ..., as_rates: bool = ...) -> None: ...

class DiffMatricesResponse(_message.Message):
    __slots__ = ("labels", "deltas")
    LABELS_FIELD_NUMBER: _ClassVar[int]
    DELTAS_FIELD_NUMBER: _ClassVar[int]
    labels: _containers.RepeatedScalarFieldContainer[str]
    deltas: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, labels: _Optional[_Iterable[str]] = ..., deltas: _Optional[_Iterable[float]] = ...) -> None: ...
