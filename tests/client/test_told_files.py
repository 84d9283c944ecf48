"""What is told of files is kept small, and comes back as it was, in the order in which it came."""

from mlmd_client.file_listing import LocalFile
from mlmd_client.told_files import Told, ToldFiles
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1


def _told(path: str, size_bytes: int) -> Told:
    said = v1.UploadFile(path=path, size_bytes=size_bytes, sha256=b"s" * 32, md5s=[b"m" * 16], media_type="text/csv")
    return LocalFile(path, size_bytes, 1, 2), said


def test_it_comes_back_as_it_was_and_as_often_as_it_is_asked_for() -> None:
    given = [_told(path, size) for size, path in enumerate(("b/ü", "a", "c/d"))]
    told = ToldFiles(iter(given))
    assert list(told) == given
    assert list(told) == given
    assert [told.said(path) for path in ("a", "b/ü", "d")] == [given[1][1], given[0][1], None]


def test_whoever_changes_what_it_was_given_changes_nothing_of_it() -> None:
    told = ToldFiles([_told("a", 7)])
    said = told.said("a")
    assert said is not None
    said.size_bytes = 8
    assert [(file.size_bytes, again.size_bytes) for file, again in told] == [(7, 7)]
