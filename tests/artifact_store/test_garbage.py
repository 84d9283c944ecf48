"""Keep rules, what they keep and why, and that gc deletes what its dry run said and nothing else."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlmd_artifact_store import garbage_collection
from mlmd_artifact_store.garbage_collection import collect, plan
from mlmd_artifact_store.keep_rules import Rules, rules_of
from mlmd_artifact_store.requests import Requests
from mlmd_metadata_store.clock import now_ms
from mlmd_schemas.caller import Caller
from mlmd_schemas.errors import InvalidArgument, NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2 as v1
from mlmd_schemas.pb.v1 import artifacts_pb2

from tests.artifact_store.care import KEEP_NOTHING, Admin, alias, execution, opened, upload
from tests.artifact_store.conformance.suite import keys
from tests.artifact_store.uploads import artifact, begin, type_id, upload_file
from tests.conftest import Clock
from tests.metadata_store.calls import Calls, counted
from tests.services.clocks import wait_beyond

Rule = v1.KeptReason

NUMBERS = itertools.count()


@pytest.fixture
def requests(database_url: str, tmp_path: Path) -> Iterator[Requests]:
    """An empty artifact store, on SQLite and on MariaDB."""
    with opened(database_url, tmp_path) as requests:
        yield requests


def rules_keeping(admin: Admin, artifact_id: int, rules: v1.KeepRules = KEEP_NOTHING) -> list[int]:
    """Return the rules that keep an artifact."""
    return [reason.rule for reason in admin.why(artifact_id, rules).reasons]


def test_each_rule_keeps_and_says_so(admin: Admin, requests: Requests) -> None:
    versions = [upload(requests, b"%d" % number, collection="fraud") for number in range(4)]
    alias(requests, "fraud", "production", 1)
    pinned, running, copied, loose = (upload(requests, name) for name in (b"p", b"r", b"c", b"l"))
    admin("PinArtifact", artifact_id=pinned, reason="audit of 2026")
    run = execution(requests, [running], [], pb.Execution.RUNNING)
    source = begin(
        requests.artifacts.store, upload_file("g", b"c"), upload_file("h", b"new"), unchanged_from_artifact_id=copied
    )
    pending = requests.artifacts.begin_upload(source).artifact_id
    newest = v1.KeepRules(newest=2, younger_than_seconds=0)
    assert admin.garbage(newest) == [versions[1], loose]
    assert admin.garbage() == [versions[1], versions[2], versions[3], loose]
    assert admin.garbage(v1.KeepRules(newest=0)) == []
    assert rules_keeping(admin, versions[0]) == [Rule.RULE_ALIAS]
    assert rules_keeping(admin, versions[3], newest) == [Rule.RULE_NEWEST]
    assert rules_keeping(admin, loose, v1.KeepRules()) == [Rule.RULE_YOUNG]
    for artifact_id, rule, text in (
        (versions[0], Rule.RULE_ALIAS, "the alias 'production' of system.Model/fraud"),
        (pinned, Rule.RULE_PINNED, "audit of 2026"),
        (running, Rule.RULE_RUNNING, f"execution {run}"),
        (copied, Rule.RULE_COPIED, f"artifact {pending}"),
        (pending, Rule.RULE_PENDING, "upload"),
    ):
        told = admin.why(artifact_id)
        assert told.kept
        assert [reason.rule for reason in told.reasons] == [rule]
        assert text in told.summary
    admin("PinArtifact", artifact_id=versions[1])
    assert admin.why(versions[1]).summary == f"Artifact {versions[1]} is kept: local pinned it."
    told = admin.why(loose)
    assert (told.kept, list(told.reasons)) == (False, [])
    assert "Nothing keeps" in told.summary


def test_what_kept_artifacts_were_made_from_is_kept(admin: Admin, requests: Requests) -> None:
    raw, clean, model, scores, stray = (upload(requests, name) for name in (b"raw", b"clean", b"m", b"s", b"x"))
    execution(requests, [raw], [clean])
    execution(requests, [clean], [model])
    execution(requests, [model], [scores])
    execution(requests, [model], [model])  # a circle
    admin("PinArtifact", artifact_id=model)
    assert admin.garbage() == [scores, stray]
    told = admin.why(raw)
    assert [(reason.rule, list(reason.path)) for reason in told.reasons] == [(Rule.RULE_ORIGIN, [raw, clean, model])]
    assert f"artifact {clean} → {model} was made from it" in told.summary
    alone = v1.KeepRules(newest=0, younger_than_seconds=0, without_origins=True)
    assert admin.garbage(alone) == [raw, clean, scores, stray]
    assert "Nothing keeps" in admin.why(raw, alone).summary


def test_of_deleted_bytes_it_is_said_by_whom_and_why_whatever_was_made_from_them(
    admin: Admin, requests: Requests
) -> None:
    raw, model = (upload(requests, name) for name in (b"raw", b"model"))
    execution(requests, [raw], [model])
    admin("PinArtifact", artifact_id=model)
    before = datetime.now(UTC).date()
    admin.purge(kind=v1.NODE_KIND_ARTIFACT, ids=[raw], include_bytes=True)
    days = {before, datetime.now(UTC).date()}  # midnight may come between
    told = admin.why(raw)
    assert (told.kept, list(told.reasons)) == (False, [])
    assert told.summary in {f"The bytes of artifact {raw} were deleted by local on {day}: asked for." for day in days}


def test_who_has_no_name_is_told_as_somebody(requests: Requests) -> None:
    nameless = Admin(requests, Caller())
    kept, gone = (upload(requests, name) for name in (b"kept", b"gone"))
    nameless("PinArtifact", artifact_id=kept)
    nameless.purge(kind=v1.NODE_KIND_ARTIFACT, ids=[gone], include_bytes=True)
    assert nameless.why(kept).summary == f"Artifact {kept} is kept: somebody pinned it."
    assert f"The bytes of artifact {gone} were deleted by somebody on " in nameless.why(gone).summary


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1, "1 second"), (90, "90 seconds"), (3600, "1 hour"), (30 * 86400, "30 days"), (5400, "90 minutes")],
)
def test_the_age_that_is_kept_is_told_in_its_own_unit(
    admin: Admin, requests: Requests, seconds: int, text: str
) -> None:
    young = upload(requests)
    told = admin.why(young, v1.KeepRules(newest=0, younger_than_seconds=seconds))
    assert told.summary == f"Artifact {young} is kept: it was committed less than {text} ago."


def test_what_is_young_is_told_to_the_second(sqlite_url: str, tmp_path: Path, ahead: Clock) -> None:
    day = 86_400
    with opened(sqlite_url, tmp_path) as requests:
        made = upload(requests)
        with ahead(day):
            assert plan(requests.artifacts, Rules(0, day + 60)).garbage == []
            assert plan(requests.artifacts, Rules(0, day - 60)).garbage == [made]


def test_garbage_goes_while_others_are_used(admin: Admin, requests: Requests) -> None:
    used, old = upload(requests, b"used"), upload(requests, b"old")
    execution(requests, [used], [], pb.Execution.RUNNING)
    execution(requests, [old], [])
    assert admin.garbage(dry_run=False) == [old]


def test_what_was_used_or_made_along_with_kept_artifacts_is_garbage(admin: Admin, requests: Requests) -> None:
    used, beside, source, made, along = (upload(requests, b"%d" % number) for number in range(5))
    execution(requests, [used, beside], [])
    execution(requests, [source], [made, along])
    for kept in (used, made):
        admin("PinArtifact", artifact_id=kept)
    assert admin.garbage() == [beside, along]


@pytest.mark.parametrize("taken", ["INPUT", "DECLARED_INPUT", "INTERNAL_INPUT"])
@pytest.mark.parametrize("put", ["OUTPUT", "DECLARED_OUTPUT", "INTERNAL_OUTPUT", "PENDING_OUTPUT"])
def test_every_kind_of_event_leads_to_what_kept_artifacts_were_made_from(
    admin: Admin, requests: Requests, taken: str, put: str
) -> None:
    source, made = upload(requests, b"source"), upload(requests, b"made")
    run = execution(requests, [], [])
    events = [
        pb.Event(artifact_id=artifact_id, execution_id=run, type=kind)
        for artifact_id, kind in ((source, taken), (made, put))
    ]
    Calls(requests.artifacts.store)("PutEvents", events=events)
    admin("PinArtifact", artifact_id=made)
    assert admin.garbage() == []


def test_an_alias_keeps_what_a_version_without_bytes_was_made_from(admin: Admin, requests: Requests) -> None:
    data = upload(requests)
    made = pb.Artifact(uri="s3://elsewhere/model").SerializeToString()
    call = Calls(requests.artifacts.store)
    model = call("AddVersion", type_name="system.Model", name="m", artifact=made).version.artifact_id
    execution(requests, [data], [model])
    assert admin.garbage() == [data]
    alias(requests, "m", "live", 1)
    assert admin.garbage() == []


def test_gc_deletes_metadata_and_bytes_and_leaves_a_tombstone(admin: Admin, requests: Requests) -> None:
    kept, gone = upload(requests, b"kept"), upload(requests, b"gone!", name="model")
    made = execution(requests, [kept], [gone])
    admin("PinArtifact", artifact_id=kept)
    store = requests.artifacts.store
    before = artifact(store, gone)
    assert admin.garbage(dry_run=True) == [gone]
    assert artifact(store, gone) == before
    assert admin.garbage(dry_run=False, reason="spring cleaning") == [gone]
    after = artifact(store, gone)
    assert (after.state, after.name) == (pb.Artifact.DELETED, "model")
    assert [event.execution_id for event in Calls(store)("GetEventsByArtifactIDs", artifact_ids=[gone]).events] == [
        made
    ]
    with pytest.raises(NotFound):
        requests.artifacts.manifest(gone)
    assert [key.split("/")[3] for key in keys(requests.artifacts.blobs)] == [str(kept)]
    (stone,) = admin("ListTombstones").tombstones
    assert (stone.id, stone.what, stone.size_bytes, stone.file_count) == (gone, v1.Tombstone.WHAT_BYTES, 5, 1)
    assert (stone.subject, stone.reason) == ("local", "spring cleaning")
    assert "spring cleaning" in admin.why(gone).summary
    assert admin.garbage(dry_run=False) == []


def test_only_the_oldest_up_to_the_limit(admin: Admin, requests: Requests) -> None:
    made = [upload(requests, b"%d" % number) for number in range(5)]
    answer = admin("CollectGarbage", rules=KEEP_NOTHING, limit=2)
    assert ([one.artifact_id for one in answer.garbage], answer.more) == (made[:2], True)
    assert admin.garbage(limit=3) == made[2:]
    assert not admin("CollectGarbage", rules=KEEP_NOTHING, limit=3, dry_run=True).more
    for asked in (
        {"limit": -1},
        {"limit": 10_001},
        {"rules": v1.KeepRules(newest=-1)},
        {"rules": {"younger_than_seconds": -1}},
    ):
        with pytest.raises(InvalidArgument):
            admin("CollectGarbage", **asked)
    with pytest.raises(NotFound):
        admin.why(10**9)


def test_the_newest_are_the_newest_that_have_bytes(admin: Admin, requests: Requests) -> None:
    made = [upload(requests, b"%d" % number, collection="fraud") for number in range(4)]
    admin.purge(kind=v1.NODE_KIND_ARTIFACT, ids=[made[3]], include_bytes=True)
    assert admin.garbage(v1.KeepRules(newest=1, younger_than_seconds=0)) == made[:2]
    assert admin.garbage(v1.KeepRules(newest=2, younger_than_seconds=0)) == made[:1]


def test_pages_of_pins_joined_are_the_whole(admin: Admin, requests: Requests) -> None:
    made = [upload(requests, b"%d" % number) for number in range(5)]
    for artifact_id in made:
        admin("PinArtifact", artifact_id=artifact_id, reason=f"audit of {artifact_id}")
    pages = [admin("ListPins", page_size=2)]
    while len(pages) < 4 and pages[-1].next_page_token:
        pages.append(admin("ListPins", page_size=2, page_token=pages[-1].next_page_token))
    assert [[pin.artifact_id for pin in page.pins] for page in pages] == [made[:2], made[2:4], made[4:]]
    assert [pin.reason for page in pages for pin in page.pins] == [f"audit of {artifact_id}" for artifact_id in made]


def test_what_is_kept_a_moment_later_stays(admin: Admin, requests: Requests) -> None:
    first, second, third, fourth = (upload(requests, b"%d" % number, collection="m") for number in range(4))
    artifacts = requests.artifacts
    chosen = plan(artifacts, Rules(0, 0))
    assert chosen.garbage == [first, second, third, fourth]
    alias(requests, "m", "production", 1)
    admin("PinArtifact", artifact_id=second)
    execution(requests, [third], [], pb.Execution.NEW)
    deleted = [one.artifact_id for batch in collect(artifacts, chosen.garbage) for one in batch]
    assert deleted == [fourth]
    for artifact_id in (first, second, third):
        assert b"".join(artifacts.read(artifact_id, "f"))


def test_what_somebody_made_something_of_a_moment_later_stays(requests: Requests) -> None:
    used, loose = (upload(requests, b"%d" % number) for number in range(2))
    execution(requests, [loose], [])
    artifacts = requests.artifacts
    chosen = plan(artifacts, Rules(0, 0))
    assert chosen.garbage == [used, loose]
    execution(requests, [used], [], pb.Execution.COMPLETE)  # begun and ended since
    deleted = [one.artifact_id for batch in collect(artifacts, chosen.garbage, seen=chosen.keeping) for one in batch]
    assert deleted == [loose]
    assert b"".join(artifacts.read(used, "f"))


def test_what_the_first_event_of_all_uses_a_moment_later_stays(requests: Requests) -> None:
    used = upload(requests)
    chosen = plan(requests.artifacts, Rules(0, 0))
    assert (chosen.garbage, chosen.keeping.last_event) == ([used], 0)
    execution(requests, [used], [], pb.Execution.COMPLETE)
    assert list(collect(requests.artifacts, chosen.garbage, seen=chosen.keeping)) == [[]]
    assert b"".join(requests.artifacts.read(used, "f"))


def test_every_batch_is_collected(requests: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [upload(requests, b"%d" % number) for number in range(5)]
    monkeypatch.setattr(garbage_collection, "BATCH", 2)
    batches = [[one.artifact_id for one in batch] for batch in collect(requests.artifacts, made)]
    assert batches == [made[:2], made[2:4], made[4:]]
    assert keys(requests.artifacts.blobs) == []


def test_what_is_copied_or_reused_a_moment_later_stays(requests: Requests) -> None:
    artifacts, store = requests.artifacts, requests.artifacts.store
    copied, reused, loose = (upload(requests, b"%d" % number) for number in range(3))
    chosen = plan(artifacts, Rules(0, 0))
    artifacts.begin_upload(begin(store, upload_file("g", b"0"), unchanged_from_artifact_id=copied))
    wait_beyond(now_ms())
    again = artifacts.begin_upload(begin(store, upload_file("f", b"1"), reuse=True))
    assert (again.artifact_id, again.reused) == (reused, True)
    deleted = [one.artifact_id for batch in collect(artifacts, chosen.garbage, seen=chosen.keeping) for one in batch]
    assert deleted == [loose]


def test_the_newest_are_counted_in_each_collection(admin: Admin, requests: Requests) -> None:
    made = {name: [upload(requests, b"%d" % number, collection=name) for number in range(3)] for name in ("a", "b")}
    # What was purged of other nodes with these ids, or of the facts alone, takes no bytes.
    runs = [execution(requests, [], []) for _ in range(made["b"][2])]
    admin.purge(kind=v1.NODE_KIND_EXECUTION, ids=runs)
    admin.purge(kind=v1.NODE_KIND_ARTIFACT, ids=[made["a"][2]])
    rules = v1.KeepRules(newest=1, younger_than_seconds=0)
    assert admin.garbage(rules) == made["a"][:2] + made["b"][:2]
    assert "version 3 of system.Model/b, one of the 1 newest" in admin.why(made["b"][2], rules).summary


def test_rules_that_are_left_out_or_at_their_bounds() -> None:
    assert rules_of(v1.KeepRules()) == Rules(1, 30 * 86400, origins=True)
    longest = 1000 * 366 * 86400
    for newest, younger in ((0, 0), (0, longest), (10**6, 1)):
        asked = v1.KeepRules(newest=newest, younger_than_seconds=younger, without_origins=True)
        assert rules_of(asked) == Rules(newest, younger, origins=False)
    for asked in (v1.KeepRules(newest=-1), v1.KeepRules(younger_than_seconds=longest + 1)):
        with pytest.raises(InvalidArgument):
            rules_of(asked)


def test_a_reason_is_kept_and_has_an_end(admin: Admin, requests: Requests) -> None:
    first, second = upload(requests, b"1"), upload(requests, b"2")
    with pytest.raises(InvalidArgument, match="reason"):
        list(collect(requests.artifacts, [first], "x" * 65_536))
    list(collect(requests.artifacts, [first]))
    list(collect(requests.artifacts, [second], "quota"))
    reasons = {stone.id: stone.reason for stone in admin("ListTombstones").tombstones}
    assert reasons == {first: garbage_collection.REASON, second: "quota"}


def test_external_bytes_are_nobodys_garbage(admin: Admin, requests: Requests) -> None:
    store = requests.artifacts.store
    made = pb.Artifact(type_id=type_id(store), uri="s3://elsewhere/data/").SerializeToString()
    request = artifacts_pb2.RecordExternalRequest(
        artifact=made, files=[artifacts_pb2.UploadFile(path="f", size_bytes=3)]
    )
    recorded = store.database.write(admin.caller, lambda tx: requests.artifacts.record_external(tx, request))
    assert admin.garbage() == admin.garbage(dry_run=False) == []
    assert list(collect(requests.artifacts, [recorded.manifest.artifact_id])) == [[]]
    assert requests.artifacts.manifest(recorded.manifest.artifact_id).is_external
    told = admin.why(recorded.manifest.artifact_id)
    (reason,) = told.reasons
    text = "its bytes are not in this store but at s3://elsewhere/data/, where this store deletes nothing"
    assert (told.kept, reason.rule, reason.text) == (True, Rule.RULE_EXTERNAL, text)
    assert told.summary == f"Artifact {recorded.manifest.artifact_id} is kept: {text}."


def test_of_what_never_had_bytes_nothing_was_deleted(admin: Admin, requests: Requests) -> None:
    store = requests.artifacts.store
    (bare,) = Calls(store)("PutArtifacts", artifacts=[pb.Artifact(type_id=type_id(store))]).artifact_ids
    assert admin.why(bare).summary == f"Artifact {bare} has no bytes in this store."
    admin.purge(kind=v1.NODE_KIND_ARTIFACT, ids=[bare])
    told = admin.why(bare).summary
    assert told.startswith(f"Artifact {bare} was purged by local on 20")
    assert told.endswith(": asked for.")


def test_statements_do_not_grow_with_artifacts(admin: Admin, requests: Requests) -> None:
    counts = []
    for count in (1, 30):
        made = [upload(requests, b"%d" % number) for number in range(count)]
        execution(requests, made, [])
        with counted(requests.artifacts.store) as statements:
            assert admin.garbage(dry_run=False) == made
        counts.append(len(statements))
    assert counts[1] <= counts[0] + 2


@st.composite
def stores(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]], set[int], set[int], int]:
    """How many versions, which was made from which, which are pinned, which have an alias, how many newest are kept."""
    count = draw(st.integers(1, 6))
    index = st.integers(0, count - 1)
    edges = draw(st.lists(st.tuples(index, index), max_size=8))
    return count, edges, draw(st.sets(index)), draw(st.sets(index)), draw(st.integers(0, 3))


@settings(
    max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(chosen=stores())
def test_gc_is_what_its_dry_run_said(
    chosen: tuple[int, list[tuple[int, int]], set[int], set[int], int], admin: Admin, requests: Requests
) -> None:
    count, edges, pinned, aliased, newest = chosen
    collection = f"c{next(NUMBERS)}"
    made = [upload(requests, b"%d" % number, collection=collection) for number in range(count)]
    for source, target in edges:
        execution(requests, [made[source]], [made[target]])
    for index in pinned:
        admin("PinArtifact", artifact_id=made[index])
    for index in aliased:
        alias(requests, collection, f"a{index}", index + 1)
    kept = pinned | aliased | set(range(max(0, count - newest), count))
    while more := {source for source, target in edges if target in kept} - kept:
        kept |= more
    rules = v1.KeepRules(newest=newest, younger_than_seconds=0)
    expected = [made[index] for index in range(count) if index not in kept]
    told = [one for one in admin.garbage(rules) if one in made]
    whys = [one for one in made if not admin.why(one, rules).kept]
    assert told == whys == expected
    assert [one for one in admin.garbage(rules, dry_run=False) if one in made] == expected
    left = {int(key.split("/")[3]) for key in keys(requests.artifacts.blobs)}
    assert left & set(made) == {made[index] for index in kept}
    assert admin.garbage(rules) == []
