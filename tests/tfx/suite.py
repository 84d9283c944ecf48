"""TFX's own tests of what it does with a metadata store, as they lie in its installed package."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.google.suite import Outcome, read

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".envs" / "tfx" / "bin" / "python"
INSIDE = Path(__file__).with_name("inside")
LONGEST_SECONDS = 900

RESOLUTION = "tfx.dsl.input_resolution"
PORTABLE = "tfx.orchestration.portable"
MODULES = (
    f"{RESOLUTION}.canned_resolver_functions_test",
    f"{RESOLUTION}.ops.graph_traversal_op_test",
    f"{RESOLUTION}.ops.group_by_lineage_op_test",
    f"{RESOLUTION}.ops.latest_pipeline_run_outputs_op_test",
    f"{RESOLUTION}.ops.latest_policy_model_op_test",
    f"{RESOLUTION}.ops.siblings_op_test",
    f"{RESOLUTION}.ops.span_driven_evaluator_inputs_op_test",
    f"{RESOLUTION}.ops.training_range_op_test",
    f"{RESOLUTION}.strategies.conditional_strategy_test",
    f"{RESOLUTION}.strategies.latest_artifact_strategy_test",
    f"{PORTABLE}.cache_utils_test",
    f"{PORTABLE}.execution_publish_utils_test",
    f"{PORTABLE}.execution_watcher_test",
    f"{PORTABLE}.input_resolution.channel_resolver_test",
    f"{PORTABLE}.input_resolution.mlmd_resolver.metadata_resolver_test",
    f"{PORTABLE}.inputs_utils_test",
    f"{PORTABLE}.mlmd.artifact_lib_test",
    f"{PORTABLE}.mlmd.common_utils_test",
    f"{PORTABLE}.mlmd.context_lib_test",
    f"{PORTABLE}.mlmd.execution_lib_test",
    f"{PORTABLE}.mlmd.store_ext_test",
    f"{PORTABLE}.partial_run_utils_test",
    "tfx.orchestration.metadata_test",
    "tfx.orchestration.mlmd_connection_manager_test",
)
"""Those that open a store, less those that cannot run without the files of TFX's repository."""


def run(
    folder: Path,
    *plugins: str,
    start: tuple[str, ...] = (),
    path: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Outcome:
    """Run the tests with `folder` as their working directory and `plugins` beside the stand-ins.

    `start` comes before `-m pytest` on the command line, `path` is one more folder of modules.
    """
    (folder / "pytest.ini").write_text("[pytest]\n")
    report = folder / "report.xml"
    options = ["-q", "-c", "pytest.ini", "--rootdir", str(folder), "-p", "no:cacheprovider", f"--junitxml={report}"]
    named = [word for plugin in ("stand_ins", *plugins) for word in ("-p", plugin)]
    modules = ":".join(map(str, [INSIDE, *([path] if path else [])]))
    done = subprocess.run(
        [str(PYTHON), *start, "-m", "pytest", *options, *named, "--pyargs", *MODULES],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, **(environment or {}), "PYTHONPATH": modules},
        timeout=LONGEST_SECONDS,
    )
    if not report.exists():
        raise RuntimeError(f"TFX's tests did not run:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return read(report)
