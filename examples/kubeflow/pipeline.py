"""A Kubeflow pipeline whose steps log to an mlmd-server: data, two models, and the choice between them.

    python examples/kubeflow/pipeline.py digits.yaml        # then upload it, or kfp run create -f digits.yaml

Needs `pip install kfp`. The server is one that pods reach, `grpc://metadata-grpc-service:8080` where mlmd-server stands
in the place of Kubeflow's own.

Each pod installs PACKAGES. While mlmd-server is not on PyPI, name a wheel there that pods reach
(`mlmd-server[pandas,sklearn] @ https://…/mlmd_server-0.1.0-py3-none-any.whl`, from `pip wheel --no-deps .` in a
checkout), or a BASE_IMAGE that has it.
"""

import sys
from collections.abc import Callable
from typing import Any

import steps
from kfp import compiler, dsl

BASE_IMAGE = "python:3.12-slim"
PACKAGES = ["mlmd-server[pandas,sklearn]"]


def component(function: Callable[..., Any]) -> Any:
    """Return a step as a component."""
    return dsl.component(function, base_image=BASE_IMAGE, packages_to_install=PACKAGES)


@dsl.pipeline(name="digits", description="Two models of the digits data; the better one becomes the champion.")
def digits(server: str = "grpc://metadata-grpc-service:8080") -> None:
    """Prepare, train twice at the same time, choose."""
    data = component(steps.prepare)(server=server)
    few = component(steps.train)(server=server, data=data.output, neighbors=3)
    many = component(steps.train)(server=server, data=data.output, neighbors=30)
    component(steps.choose)(server=server, one=few.output, other=many.output)


if __name__ == "__main__":
    compiler.Compiler().compile(digits, package_path=sys.argv[1] if len(sys.argv) > 1 else "digits.yaml")
