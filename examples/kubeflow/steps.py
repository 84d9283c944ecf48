"""The steps of the pipeline as plain functions: what stands in each is all that its container gets."""


def prepare(server: str) -> str:
    """Keep the data as the next version of `digits`; return its name."""
    from mlmd_client import Store
    from sklearn.datasets import load_digits

    with Store(server) as store, store.run("digits-pipeline/prepare") as run:
        return str(run.log_dataset("digits-data", load_digits(as_frame=True).frame).ref)


def train(server: str, data: str, neighbors: int) -> str:
    """Train and evaluate a model on the data of that name; return the model's name."""
    from mlmd_client import Store
    from sklearn.model_selection import train_test_split
    from sklearn.neighbors import KNeighborsClassifier

    with Store(server) as store, store.run("digits-pipeline/train", params={"neighbors": neighbors}) as run:
        frame = run.use(data).df()
        rows, held_out = train_test_split(frame, test_size=0.3, stratify=frame["target"], random_state=0)
        model = KNeighborsClassifier(neighbors).fit(rows.drop(columns="target"), rows["target"])
        run.evaluate("test", held_out["target"], model.predict_proba(held_out.drop(columns="target")))
        return str(run.log_model("digits-model", model).ref)


def choose(server: str, one: str, other: str) -> str:
    """Register the better of two models and make it the champion; return where to load it from."""
    from mlmd_client import Store

    with Store(server) as store:
        best = store.compare(one, other).best("test/accuracy")
        version = store.models["digits"].register(store[best])
        version.promote("champion", reason=f"better than {other if best == one else one} on the test data")
        return version.ref
