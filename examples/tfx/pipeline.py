"""A TFX pipeline of three steps whose facts are kept by a server: `python pipeline.py 127.0.0.1:8080 folder [runs]`.

Each step is a Python function, run on this machine. A run after the first finds in the store that nothing has changed
and takes every step's outputs from there. In one process, without ml-metadata: `python -m mlmd_client.compat
pipeline.py …`.
"""

import json
import random
import sys
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, OutputDict, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline


class Points(types.Artifact):
    """Pairs (x, y), a line of JSON each."""

    TYPE_NAME = "Points"


class Line(types.Artifact):
    """A slope and where the line crosses the axis, as JSON."""

    TYPE_NAME = "Line"


@component
def Measure(points: OutputArtifact[Points], count: Parameter[int] = 1000, seed: Parameter[int] = 1):
    """Make points about the line y = 3x + 2, with noise of standard deviation 1."""
    draw = random.Random(seed)
    with open(Path(points.uri) / "points.jsonl", "w") as file:
        for _ in range(count):
            x = draw.uniform(0, 10)
            file.write(json.dumps([x, 3 * x + 2 + draw.gauss(0, 1)]) + "\n")


@component
def Fit(points: InputArtifact[Points], line: OutputArtifact[Line]) -> OutputDict(slope=float):
    """Fit a line by least squares."""
    pairs = [json.loads(text) for text in (Path(points.uri) / "points.jsonl").read_text().splitlines()]
    mean_x, mean_y = (sum(column) / len(pairs) for column in zip(*pairs, strict=True))
    slope = sum((x - mean_x) * (y - mean_y) for x, y in pairs) / sum((x - mean_x) ** 2 for x, _ in pairs)
    (Path(line.uri) / "line.json").write_text(json.dumps({"slope": slope, "at_0": mean_y - slope * mean_x}))
    return {"slope": slope}


@component
def Check(points: InputArtifact[Points], line: InputArtifact[Line]) -> OutputDict(error=float):
    """Return the mean squared error."""
    fitted = json.loads((Path(line.uri) / "line.json").read_text())
    pairs = [json.loads(text) for text in (Path(points.uri) / "points.jsonl").read_text().splitlines()]
    return {"error": sum((fitted["slope"] * x + fitted["at_0"] - y) ** 2 for x, y in pairs) / len(pairs)}


def pipeline(server: str, folder: str) -> Pipeline:
    """Return the pipeline, its files in `folder` and its facts on the server at `host:port`."""
    host, _, port = server.rpartition(":")
    measure = Measure()
    fit = Fit(points=measure.outputs["points"])
    check = Check(points=measure.outputs["points"], line=fit.outputs["line"])
    return Pipeline(
        pipeline_name="line",
        pipeline_root=folder,
        metadata_connection_config=metadata_store_pb2.MetadataStoreClientConfig(host=host, port=int(port)),
        components=[measure, fit, check],
        enable_cache=True,
    )


if __name__ == "__main__":
    for _ in range(int(sys.argv[3]) if len(sys.argv) > 3 else 1):
        LocalDagRunner().run(pipeline(sys.argv[1], sys.argv[2]))
