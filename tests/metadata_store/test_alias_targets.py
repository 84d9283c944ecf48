"""Which artifacts and contexts aliases point at, of collections and of registered models, and what the lock holds."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from mlmd_metadata_store.alias_targets import alias_targets, aliases_of, aliases_of_contexts
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.own import COLLECTION

from tests.metadata_store.calls import Calls
from tests.model_registry.conftest import Registry

_FREE = sa.select(COLLECTION.c.context_id).with_for_update(skip_locked=True)


class Aliased:
    """Three collections and two registered models of two versions each, every one with aliases."""

    def __init__(self, store: Store) -> None:
        self.store = store
        call, registry = Calls(store), Registry(store)
        call("PutArtifactType", artifact_type=pb.ArtifactType(name="Data"))
        self.versions = {
            name: [call("AddVersion", type_name="Data", name=name, artifact=b"").version for _ in range(2)]
            for name in ("iris", "mnist", "taxi")
        }
        for name, alias, number in (
            ("iris", "best", 1),
            ("iris", "prod", 1),
            ("iris", "next", 2),
            ("mnist", "prod", 2),
        ):
            call("MoveAlias", type_name="Data", name=name, alias=alias, number=number)
        self.models = {name: [registry.version(name) for _ in range(2)] for name in ("fraud", "churn")}
        for model, alias, version in (("fraud", "champion", "1"), ("fraud", "shadow", "1"), ("churn", "champion", "2")):
            registry("MoveModelAlias", model=model, alias=alias, version=version)
        self.collection_ids = {name: made[0].context_id for name, made in self.versions.items()}
        self.model_ids = {name: made[0].model_id for name, made in self.models.items()}

    def artifact(self, name: str, number: int) -> int:
        """Return the artifact of a version, of a collection or of a model."""
        return int((self.versions | self.models)[name][number - 1].artifact_id)

    def shown(self, name: str, number: int) -> int:
        """Return the kf.ModelArtifact of a version of a model."""
        return int(self.models[name][number - 1].model_artifact_id)

    def context(self, name: str, number: int) -> int:
        """Return the context of a version of a model."""
        return int(self.models[name][number - 1].id)


@pytest.fixture
def aliased(store: Store) -> Aliased:
    """The same, on SQLite and on MariaDB."""
    return Aliased(store)


def test_every_target_of_a_collection_is_told_with_its_alias(aliased: Aliased) -> None:
    assert aliased.store.database.read(LOCAL, alias_targets) == [
        (aliased.artifact("iris", 1), "Data/iris", "best"),
        (aliased.artifact("iris", 1), "Data/iris", "prod"),
        (aliased.artifact("iris", 2), "Data/iris", "next"),
        (aliased.artifact("mnist", 2), "Data/mnist", "prod"),
        (aliased.artifact("fraud", 1), "fraud", "champion"),
        (aliased.artifact("fraud", 1), "fraud", "shadow"),
        (aliased.artifact("churn", 2), "churn", "champion"),
    ]


@pytest.mark.parametrize("locked", [False, True])
def test_aliases_of_some_artifacts(aliased: Aliased, locked: bool) -> None:
    asked = [
        aliased.artifact("iris", 1),
        aliased.artifact("mnist", 1),
        aliased.artifact("taxi", 1),
        aliased.shown("fraud", 1),
        aliased.shown("churn", 1),
        aliased.artifact("churn", 2),
    ]
    found = aliased.store.database.write(LOCAL, lambda tx: aliases_of(tx, iter(asked), locked=locked))
    assert found == [
        (aliased.artifact("iris", 1), "Data/iris", "best"),
        (aliased.artifact("iris", 1), "Data/iris", "prod"),
        (aliased.shown("fraud", 1), "fraud", "champion"),
        (aliased.shown("fraud", 1), "fraud", "shadow"),
        (aliased.artifact("churn", 2), "churn", "champion"),
    ]


@pytest.mark.parametrize("locked", [False, True])
def test_aliases_of_some_versions_of_models(aliased: Aliased, locked: bool) -> None:
    asked = [aliased.context("fraud", 1), aliased.context("fraud", 2), aliased.context("churn", 1)]
    found = aliased.store.database.write(LOCAL, lambda tx: aliases_of_contexts(tx, iter(asked), locked=locked))
    assert found == [
        (aliased.context("fraud", 1), "fraud", "champion"),
        (aliased.context("fraud", 1), "fraud", "shadow"),
    ]


class TestLocks:
    """What another server cannot move an alias of, while it is looked at under the lock."""

    @pytest.fixture
    def aliased(self, mariadb_url: str) -> Iterator[Aliased]:
        """The same on MariaDB, whose locks are those of rows."""
        store = Store.open(mariadb_url)
        yield Aliased(store)
        store.close()

    @pytest.fixture
    def other(self, mariadb_url: str, aliased: Aliased) -> Iterator[Store]:
        """The same database, opened by another server."""
        store = Store.open(mariadb_url)
        yield store
        store.close()

    @staticmethod
    def held(aliased: Aliased, other: Store) -> set[str]:
        """Return the collections and models that another server finds locked."""
        free = {row[0] for row in other.database.write(LOCAL, lambda tx: tx.rows(_FREE))}
        return {name for name, number in (aliased.collection_ids | aliased.model_ids).items() if number not in free}

    def test_the_collections_and_the_models_of_artifacts(self, aliased: Aliased, other: Store) -> None:
        asked = [aliased.artifact("iris", 2), aliased.artifact("taxi", 1), aliased.shown("churn", 1)]

        def held(tx: Transaction, locked: bool) -> set[str]:
            aliases_of(tx, iter(asked), locked=locked)
            return self.held(aliased, other)

        assert aliased.store.database.write(LOCAL, lambda tx: held(tx, True)) == {"iris", "taxi", "churn"}
        assert aliased.store.database.write(LOCAL, lambda tx: held(tx, False)) == set()

    def test_the_models_of_versions(self, aliased: Aliased, other: Store) -> None:
        asked = [aliased.context("fraud", 2)]

        def held(tx: Transaction, locked: bool) -> set[str]:
            aliases_of_contexts(tx, iter(asked), locked=locked)
            return self.held(aliased, other)

        assert aliased.store.database.write(LOCAL, lambda tx: held(tx, True)) == {"fraud"}
        assert aliased.store.database.write(LOCAL, lambda tx: held(tx, False)) == set()
