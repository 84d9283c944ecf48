"""The journal's law: whatever broke off, what comes before it is whole."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlmd_client.journal import Journal, Record, left_behind

RECORDS = st.lists(
    st.builds(
        Record,
        path=st.text("/abc.XYZ", min_size=1, max_size=20),
        key=st.text("0123456789abcdef-", max_size=20),
        request=st.binary(max_size=300),
    ),
    max_size=8,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(records=RECORDS, cut=st.integers(0, 3000), data=st.data())
def test_a_journal_cut_anywhere_gives_the_records_before_the_cut(
    tmp_path: Path, records: list[Record], cut: int, data: st.DataObject
) -> None:
    journal = Journal.create(tmp_path, {"token": "t"})
    places = journal.append(records) if records else []
    assert [journal.read(place) for place in places] == records
    journal.close()
    size = journal.path.stat().st_size
    first = size - sum(len(record.packed()) for record in records)
    end = min(size, first + cut)
    os.truncate(journal.path, end)
    if data.draw(st.booleans()):  # what a crash of the machine may leave behind the end
        with journal.path.open("ab") as file:
            file.write(data.draw(st.binary(min_size=1, max_size=40)))
    taken = Journal.take_over(journal.path)
    assert taken is not None
    whole = [place + len(record.packed()) <= end for place, record in zip(places, records, strict=True)]
    found = [record for _, record in taken.records()]
    assert found == records[: sum(whole)]
    taken.append([Record("/a.B/C", "k", b"more")])
    assert [record for _, record in taken.records()] == [*found, Record("/a.B/C", "k", b"more")]
    taken.discard()


@pytest.mark.parametrize("zeros", [1, 8, 4096])
def test_zeros_behind_the_end_are_no_record(tmp_path: Path, zeros: int) -> None:
    journal = Journal.create(tmp_path, {"token": "t"})
    journal.append([Record("/a.B/C", "k", b"whole")])
    journal.close()
    with journal.path.open("ab") as file:  # what a file system leaves of a write that power cut off
        file.write(bytes(zeros))
    taken = Journal.take_over(journal.path)
    assert taken is not None
    assert [record for _, record in taken.records()] == [Record("/a.B/C", "k", b"whole")]
    assert taken.broken_bytes == zeros
    taken.discard()


def test_whoever_looks_for_journals_never_takes_one_that_is_being_begun(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from mlmd_client.journal import Journal, left_behind\n"
        "print('looking', flush=True)\n"
        "while True:\n"
        "    [Journal.take_over(path) for path in left_behind(Path(sys.argv[1]))]"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "looking\n"
        for _ in range(1000):
            Journal.create(tmp_path, {"token": "t"}).discard()
    finally:
        child.kill()
        child.communicate()


def test_a_journal_that_cannot_be_begun_leaves_nothing(tmp_path: Path) -> None:
    program = (
        "import resource, signal, sys; from pathlib import Path; from mlmd_client.journal import Journal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
        "Journal.create(Path(sys.argv[1]), {'token': 't'})"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    assert b"File too large" in subprocess.run(command, capture_output=True, check=False).stderr
    assert list(tmp_path.iterdir()) == []


def test_a_journal_belongs_to_its_process_while_that_lives(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from mlmd_client.journal import Journal\n"
        "journal = Journal.create(Path(sys.argv[1]), {'token': 't'}); print(journal.path, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    path = Path(child.stdout.readline().strip())
    assert left_behind(tmp_path) == [path]
    assert Journal.take_over(path) is None
    child.kill()
    child.wait()
    child.stdout.close()
    assert child.stdin is not None
    child.stdin.close()
    taken = Journal.take_over(path)
    assert taken is not None
    assert taken.facts == {"token": "t"}
    taken.close()


@pytest.mark.parametrize("content", [b"", b"MLMDJRN1", b"something else entirely", b"MLMDJRN1\xff\xff\xff\x7f\0\0\0\0"])
def test_what_is_no_journal_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.journal"
    path.write_bytes(content)
    assert Journal.take_over(path) is None
    assert path.read_bytes() == content


def test_a_journal_that_cannot_be_read_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    in_the_way = tmp_path / "20260101T000000Z-1-00.journal"
    in_the_way.mkdir()
    assert Journal.take_over(in_the_way) is None
    assert f"{in_the_way} cannot be sent: Is a directory" in caplog.text


def test_a_journal_of_a_living_process_is_left_without_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal.create(tmp_path, {})
    assert Journal.take_over(journal.path) is None
    assert Journal.take_over(tmp_path / "gone.journal") is None
    assert caplog.records == []
    journal.discard()


def test_nobody_else_may_read_a_journal_folder(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "new" / "folder", {})
    assert (tmp_path / "new" / "folder").stat().st_mode & 0o077 == 0
    journal.discard()
