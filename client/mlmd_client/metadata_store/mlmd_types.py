"""MLMD's own types, which other types say they are a kind of.

>>> from mlmd_schemas.pb.metadata_store_pb2 import ArtifactType as Type
>>> Type(name="Images", base_type=Dataset().system_type).base_type == Type.DATASET
True
"""

from google.protobuf.descriptor import EnumDescriptor
from mlmd_schemas.pb import metadata_store_pb2 as pb


class _SystemType:
    """A type that every store has."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        """Its name, such as `mlmd.Dataset`."""
        return self._name


class ArtifactType(_SystemType):
    """A type of artifacts that every store has."""

    def __init__(self, system_type: pb.ArtifactType.SystemDefinedBaseType) -> None:
        """Take the number of the type."""
        super().__init__(_name(pb.ArtifactType.SystemDefinedBaseType.DESCRIPTOR, system_type))
        self._system_type = system_type

    @property
    def system_type(self) -> pb.ArtifactType.SystemDefinedBaseType:
        """Its number, for `base_type`."""
        return self._system_type


class ExecutionType(_SystemType):
    """A type of executions that every store has."""

    def __init__(self, system_type: pb.ExecutionType.SystemDefinedBaseType) -> None:
        """Take the number of the type."""
        super().__init__(_name(pb.ExecutionType.SystemDefinedBaseType.DESCRIPTOR, system_type))
        self._system_type = system_type

    @property
    def system_type(self) -> pb.ExecutionType.SystemDefinedBaseType:
        """Its number, for `base_type`."""
        return self._system_type


def _name(kinds: EnumDescriptor, number: int) -> str:
    options = kinds.values_by_number[number].GetOptions()
    return str(options.Extensions[pb.system_type_extension].type_name)  # type: ignore[index]


class Dataset(ArtifactType):
    """Data to learn from or to predict on: `mlmd.Dataset`."""

    def __init__(self) -> None:
        """Take no arguments."""
        super().__init__(pb.ArtifactType.DATASET)


class Model(ArtifactType):
    """What was learnt: `mlmd.Model`."""

    def __init__(self) -> None:
        """Take no arguments."""
        super().__init__(pb.ArtifactType.MODEL)


class Metrics(ArtifactType):
    """Figures that say how good something is: `mlmd.Metrics`."""

    def __init__(self) -> None:
        """Take no arguments."""
        super().__init__(pb.ArtifactType.METRICS)


class Statistics(ArtifactType):
    """Figures that describe data: `mlmd.Statistics`."""

    def __init__(self) -> None:
        """Take no arguments."""
        super().__init__(pb.ArtifactType.STATISTICS)


class Train(ExecutionType):
    """Learning a model: `mlmd.Train`."""

    def __init__(self) -> None:
        """Take no arguments."""
        super().__init__(pb.ExecutionType.TRAIN)


class Transform(ExecutionType):
    """Making data of other data: `mlmd.Transform`."""

    def __init__(self) -> None:
        """Take no arguments."""
        super().__init__(pb.ExecutionType.TRANSFORM)


class Process(ExecutionType):
    """Any other step: `mlmd.Process`."""

    def __init__(self) -> None:
        """Take no arguments."""
        super().__init__(pb.ExecutionType.PROCESS)


class Evaluate(ExecutionType):
    """Finding out how good a model is: `mlmd.Evaluate`."""

    def __init__(self) -> None:
        """Take no arguments."""
        super().__init__(pb.ExecutionType.EVALUATE)


class Deploy(ExecutionType):
    """Putting a model to use: `mlmd.Deploy`."""

    def __init__(self) -> None:
        """Take no arguments."""
        super().__init__(pb.ExecutionType.DEPLOY)
