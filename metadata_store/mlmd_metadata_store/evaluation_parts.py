"""What is stored of matrices and curves: columns of numbers, compressed, in parts that fit a packet of the database."""

import sys
import zlib
from array import array
from collections.abc import Iterator

from mlmd_metrics.confusion import ConfusionMatrix
from mlmd_metrics.cutoffs import Cutoffs
from mlmd_metrics.messages import flat_counts, is_weighted

PART_BYTES = 1 << 20

MATRIX_ITEM = 0
"""The item of the matrix; curves count from 1."""

_WHOLE, _WEIGHTED = b"q", b"d"
_LEVEL = 1


def parts(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the numbered parts that content is stored in."""
    squeezed = zlib.compress(content, _LEVEL)
    for number, start in enumerate(range(0, len(squeezed), PART_BYTES)):
        yield number, squeezed[start : start + PART_BYTES]


def content_of(stored: list[tuple[int, bytes]]) -> bytes:
    """Return the content of numbered parts, given in any order."""
    return zlib.decompress(b"".join(part for _, part in sorted(stored)))


def matrix_content(matrix: ConfusionMatrix) -> bytes:
    """Return the counts, row by row, as int64 or where rows were weighted as float64."""
    cells = flat_counts(matrix)
    if is_weighted(matrix):
        return _WEIGHTED + _little_endian(array("d", cells))
    return _WHOLE + _little_endian(array("q", map(int, cells)))


def read_matrix(labels: list[str], content: bytes) -> ConfusionMatrix:
    """Return the matrix of what `matrix_content` made."""
    cells: array[int] | array[float] = array("d" if content[:1] == _WEIGHTED else "q")
    cells.frombytes(_native(content[1:], 8))
    return square(labels, cells)


def square(labels: list[str], cells: "array[int] | array[float]") -> ConfusionMatrix:
    """Return the matrix of counts that are given row by row; there must be labels * labels of them."""
    size = len(labels)
    return ConfusionMatrix(labels, [cells[row * size : (row + 1) * size].tolist() for row in range(size)])


def curve_content(cutoffs: Cutoffs) -> bytes:
    """Return the three columns of a curve."""
    columns = cutoffs.thresholds, cutoffs.true_positives, cutoffs.false_positives
    return b"".join(_little_endian(column) for column in columns)


def read_curve(content: bytes) -> Cutoffs:
    """Return the curve of what `curve_content` made."""
    native, size = _native(content, 8), len(content) // 3
    thresholds, true_positives, false_positives = array("d"), array("q"), array("q")
    thresholds.frombytes(native[:size])
    true_positives.frombytes(native[size : 2 * size])
    false_positives.frombytes(native[2 * size :])
    return Cutoffs(thresholds, true_positives, false_positives)


def _little_endian(column: "array[int] | array[float]") -> bytes:
    return _native(column.tobytes(), column.itemsize)


def _native(content: bytes, size: int) -> bytes:
    """Swap the bytes of each number where the machine is big-endian; the same both ways."""
    if sys.byteorder == "little":
        return content
    return b"".join(content[start : start + size][::-1] for start in range(0, len(content), size))
