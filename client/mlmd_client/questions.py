"""What can be asked of a store: what is there, where it came from, what came of it, what is different.

What answers is loaded when it is asked, so that whoever only logs does not wait for it.
"""

from typing import TYPE_CHECKING, Any

from mlmd_schemas.pb.v1 import collections_pb2

from mlmd_client.failures import refused
from mlmd_client.finding import RunFacts, find, run_target
from mlmd_client.service import Service
from mlmd_client.tables import Table
from mlmd_client.versions import Version

if TYPE_CHECKING:
    from mlmd_client.comparison import Comparison, Owner
    from mlmd_client.run import Run
    from mlmd_client.walks import Graph, Key


_PAGE = 100
_MOST_PAGES = 10
"""Of the names that the Tab key offers: somebody waits for them."""


class Questions:
    """The part of a store that answers. What the runs of this process logged is sent before.

    >>> store.find("datasets").column("name")
    ['churn-train/1']
    """

    service: Service

    def settle(self) -> None:
        """Send what the runs of this process logged."""
        raise NotImplementedError

    def version(self, what: "str | int | Version", *, type: str = "") -> Version:
        """Return a version."""
        raise NotImplementedError

    def run_facts(self, what: "int | str | Run") -> RunFacts:
        """Return what is known of a run."""
        raise NotImplementedError

    def _ipython_key_completions_(self) -> list[str]:
        """Return the names that have versions, for the Tab key after `store[`."""
        request = collections_pb2.ListCollectionsRequest(page_size=_PAGE)
        names: dict[str, None] = {}
        for _ in range(_MOST_PAGES):
            answer = self.service.read(request, collections_pb2.ListCollectionsResponse)
            names |= dict.fromkeys(one.name for one in answer.collections)
            request.page_token = answer.next_page_token
            if not request.page_token:
                break
        return list(names)

    def find(self, kind: str, where: str = "", *, order: str = "", limit: int = 0) -> Table:
        """Return what matches a filter, with its properties as columns.

        `kind` is artifacts, datasets, models, files, executions, runs, contexts or experiments; `where` is MLMD's
        filter language; `order` is id, created, updated or a property, with a `-` before it for the highest first.

        >>> store.find("runs", "custom_properties.auc.double_value > 0.9", order="-auc", limit=1).column("auc")
        [0.93]
        """
        self.settle()
        return find(self.service, kind, where, order=order, limit=limit)

    def lineage(self, what: "str | int | Version | Run | RunFacts", hops: int = 0, **options: Any) -> "Graph":
        """Return everything that something came from and that came from it.

        `hops` bounds the walk (0 means 100); `options` are those of `mlmd.v1.LineageOptions`: `with_system_nodes=True`,
        `collapse_repeats=True`, `since_ms`, `until_ms` and what else there is.

        >>> "churn@2" in store.lineage("churn-train@1").names()
        True
        """
        return self.provenance(what, hops, **options).joined(self.impact(what, hops, **options))

    def provenance(self, what: "str | int | Version | Run | RunFacts", hops: int = 0, **options: Any) -> "Graph":
        """Return what something came from: its `data`, `code` and `parameters`, and the graph.

        >>> [source.name for source in store.provenance("churn@1").data]
        ['churn-train/1']
        """
        from mlmd_client.walks import walk, walk_options

        return walk(self.service, "provenance", self._node(what), walk_options(hops, options))

    def impact(self, what: "str | int | Version | Run | RunFacts", hops: int = 0, **options: Any) -> "Graph":
        """Return what came from something: its `models`, those that serve first, and the graph.

        >>> len(store.impact("churn-train@1").models)
        2
        """
        from mlmd_client.walks import walk, walk_options

        return walk(self.service, "impact", self._node(what), walk_options(hops, options))

    def path(
        self, first: "str | int | Version | Run | RunFacts", second: "str | int | Version | Run | RunFacts"
    ) -> "Graph":
        """Return how one came from the other, in the direction of the data; empty when neither did.

        >>> store.path("churn@1", "churn-train@1").names()
        ['churn-train@1', 'doc/setup/1', 'churn@1']
        """
        from mlmd_client.walks import shortest_path

        return shortest_path(self.service, self._node(first), self._node(second))

    def compare(self, *what: "str | Version | Run | RunFacts") -> "Comparison":
        """Return runs and versions side by side; a version stands for the run that made it, too.

        >>> store.compare("churn@1", "churn@2").best("auc")
        'churn@2'
        """
        from mlmd_client.comparison import Comparison

        if not what:
            raise refused("compare: name at least one run or version.")
        return Comparison(self.service, [self._subject(one) for one in what])

    def diff(self, before: "str | Version | Run | RunFacts", after: "str | Version | Run | RunFacts") -> Table:
        """Return why two versions, or two runs, differ: inputs, parameters, code and figures, step by step.

        >>> store.diff("churn@1", "churn@2").where(what="lr")[0]["churn@1"]
        0.1
        """
        from mlmd_client.walks import differences

        first, second = self._node(before), self._node(after)
        if first[0] != second[0]:
            raise refused("diff: one is a version and the other a run; give two versions or two runs.")
        names = (self._subject(before)[0], self._subject(after)[0])
        return differences(self.service, first, second, names)

    def _node(self, what: Any) -> "Key":
        self.settle()
        execution_id = run_target(self.service, what)
        return ("artifact", self.version(what).id) if execution_id is None else ("execution", execution_id)

    def _subject(self, what: Any) -> "tuple[str, list[Owner]]":
        self.settle()
        execution_id = run_target(self.service, what)
        if execution_id is not None:
            return self.run_facts(execution_id).name, [("execution", execution_id)]
        version = self.version(what)
        made_by = version.run
        return version.ref, [("artifact", version.id), *([("execution", made_by.id)] if made_by else [])]
