"""A plugin of pytest for TFX's own tests: what they import besides TFX, without TensorFlow and Beam.

They take nothing but the base class of their cases from TensorFlow, and nothing but a runner of pipelines from Beam.
"""

import sys
import tempfile
import types
from typing import Any

import absl.testing.absltest
import tfx.orchestration
from google.protobuf import text_format
from google.protobuf.message import Message
from tfx.dsl.io import fileio  # noqa: F401  it looks for TensorFlow when it is imported, and is to find none
from tfx.orchestration.local.local_dag_runner import LocalDagRunner


class TestCase(absl.testing.absltest.TestCase):
    """What TFX's cases use of `tensorflow.test.TestCase`."""

    def get_temp_dir(self) -> str:
        """Return a folder of this case's own, the same at each call."""
        if not hasattr(self, "_folder"):
            self._folder = tempfile.mkdtemp()
        return self._folder

    def assertAllEqual(self, one: Any, other: Any) -> None:
        """Fail unless both hold the same items in the same order."""
        assert list(one) == list(other)

    def assertProtoEquals(self, expected: str | Message, actual: Message, msg: str | None = None) -> None:
        """Fail unless a message is the same as another, or as what a text stands for."""
        if isinstance(expected, str):
            expected = text_format.Parse(expected, type(actual)())
        assert expected == actual, msg


def _module(name: str, **content: object) -> types.ModuleType:
    made = types.ModuleType(name)
    vars(made).update(content)
    sys.modules[name] = made
    return made


_test = _module("tensorflow.test", TestCase=TestCase, main=absl.testing.absltest.main)
_module("tensorflow", test=_test)
_runner = _module("tfx.orchestration.beam.beam_dag_runner", BeamDagRunner=LocalDagRunner)
tfx.orchestration.beam = _module("tfx.orchestration.beam", beam_dag_runner=_runner, __path__=[])
