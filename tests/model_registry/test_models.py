"""Registered models: made, found, listed, changed, archived; in Kubeflow's mapping."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import Code, StoreError
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from tests.model_registry.conftest import Registry


def test_a_model_is_a_context_in_kubeflows_mapping(registry: Registry) -> None:
    made = registry("CreateModel", name="fraud", description="d", owner="ana", tags={"team": "risk"}).model
    assert (made.name, made.description, made.owner, dict(made.tags)) == ("fraud", "d", "ana", {"team": "risk"})
    assert (made.state, made.latest_number, made.move_sequence) == (v1.MODEL_STATE_LIVE, 0, 0)
    (context,) = registry("GetContextsByType", type_name="kf.RegisteredModel").contexts
    assert (context.id, context.name) == (made.id, "fraud")
    texts = {name: value.string_value for name, value in context.properties.items()}
    assert texts == {"description": "d", "owner": "ana", "state": "LIVE"}
    assert context.custom_properties["team"].string_value == "risk"
    declared = registry("GetContextType", type_name="kf.RegisteredModel").context_type.properties
    assert (declared["owner"], declared["language"]) == (pb.STRING, pb.STRUCT)
    assert registry("GetModel", model="fraud").model == made


@pytest.mark.parametrize("name", ["", " a", "a ", "a\nb", "x" * 256])
def test_what_is_no_name(registry: Registry, name: str) -> None:
    assert registry.code("CreateModel", name=name) is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("name", ["team/fraud", "模型 ü", "x" * 255, "a:b", "100%", "models:/x@y"])
def test_names_with_slashes_and_unicode(registry: Registry, name: str) -> None:
    registry("CreateModel", name=name)
    assert registry("GetModel", model=name).model.name == name
    assert registry.version(name).model == name


@pytest.mark.parametrize("google_text", [False, True])
def test_a_misspelt_name_is_asked_about(database_url: str, google_text: bool) -> None:
    store = Store.open(database_url, StoreOptions(google_text=google_text))
    registry = Registry(store)
    for name in ("模型一号", "fraud", "😀 smile"):
        registry("CreateModel", name=name)
    for misspelt, meant in (("模型号一", "模型一号"), ("farud", "fraud"), ("😀 simle", "😀 smile")):
        assert registry.error("GetModel", model=misspelt).message.endswith(f"; did you mean {meant!r}?")
    assert registry.error("GetModel", model="fx").message.endswith("; ListModels lists them.")
    store.close()


def test_a_taken_name_and_an_unknown_one(registry: Registry) -> None:
    registry("CreateModel", name="fraud", external_id="x")
    taken = registry.error("CreateModel", name="fraud")
    assert (taken.code, "'fraud'" in taken.message) == (Code.ALREADY_EXISTS, True)
    assert registry.code("CreateModel", name="other", external_id="x") is Code.ALREADY_EXISTS
    for method in ("GetModel", "UpdateModel", "ArchiveModel", "ListModelVersions"):
        assert registry.code(method, model="nope") is Code.NOT_FOUND
    assert registry.code("GetModel", model="Fraud") is Code.NOT_FOUND


def test_only_what_is_set_changes(registry: Registry) -> None:
    registry("CreateModel", name="fraud", description="d", owner="ana", tags={"a": "1", "b": "2"})
    changed = registry("UpdateModel", model="fraud", description="e", tags={"set": {"c": "3"}, "remove": ["a"]}).model
    assert (changed.description, changed.owner, dict(changed.tags)) == ("e", "ana", {"b": "2", "c": "3"})
    assert registry("UpdateModel", model="fraud", owner="").model.owner == ""
    assert (
        registry.code("UpdateModel", model="fraud", tags={"set": {"c": ""}, "remove": ["c"]}) is Code.INVALID_ARGUMENT
    )


def test_an_archived_model_takes_nothing_new_until_it_is_restored(registry: Registry) -> None:
    registry.version()
    assert registry("ArchiveModel", model="fraud").model.state == v1.MODEL_STATE_ARCHIVED
    refused = registry.error("CreateModelVersion", model="fraud", uri="s3://b/x")
    assert (refused.code, "archived" in refused.message) == (Code.FAILED_PRECONDITION, True)
    assert not registry("ListModels").models
    assert [model.name for model in registry("ListModels", include_archived=True).models] == ["fraud"]
    assert registry("RestoreModel", model="fraud").model.state == v1.MODEL_STATE_LIVE
    assert registry.version().number == 2


def test_models_are_listed_by_name_page_by_page(registry: Registry) -> None:
    names = [f"m{number:02d}" for number in range(25)] + ["n%", "ü"]
    for name in reversed(names):
        registry("CreateModel", name=name)
    registry("ArchiveModel", model="m07")
    seen, token = [], ""
    while True:
        page = registry("ListModels", page_size=4, page_token=token)
        seen += [model.name for model in page.models]
        token = page.next_page_token
        if not token:
            break
    assert seen == sorted(set(names) - {"m07"})
    assert [model.name for model in registry("ListModels", prefix="n").models] == ["n%"]
    assert registry.code("ListModels", page_size=101) is Code.INVALID_ARGUMENT
    assert registry.code("ListModels", page_token="nonsense") is Code.INVALID_ARGUMENT


def test_of_eight_that_make_one_model_one_wins(registry: Registry) -> None:
    def make(number: int) -> int:
        try:
            registry("CreateModel", name="fraud")
        except StoreError as error:
            return int(error.code)
        return 0

    with ThreadPoolExecutor(8) as pool:
        codes = sorted(pool.map(make, range(8)))
    assert codes == [0] + [Code.ALREADY_EXISTS] * 7
