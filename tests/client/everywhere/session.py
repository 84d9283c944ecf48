"""A day with the SDK, run by interpreters that have little more than grpcio and protobuf: `session.py TARGET FOLDER`.

Prints one JSON object: what was there at its end, for whoever started it to judge.
"""

import json
import sys
from pathlib import Path

import google.protobuf
from mlmd_client import Store, current_run
from mlmd_client.failures import NotFound


def main(target: str, folder: Path) -> dict[str, object]:
    """Prepare data, train twice, compare, name a champion and ask where it came from."""
    data = folder / "train.csv"
    data.write_text("x,y\n1,a\n2,b\n")
    with Store(target) as store:
        with store.run("churn/prepare", params={"rows": 2}) as prepare:
            prepare.log_dataset("churn-train", data)
        for rate in (0.1, 0.2):
            with store.run("churn/train", params={"lr": rate, "layers": [4, 2]}) as run:
                assert current_run() is run
                assert run.use("churn-train@latest").path.read_text() == data.read_text()
                for step in range(20):
                    run.metric("loss", 1 / (step + 1), step=step)
                run.metrics(auc=0.8 + rate, odd=float("nan"))
                run.confusion_matrix("shown", counts=[[3, 1], [0, 4]], labels=["no", "yes"])
                run.log_model("churn", {"weights": [rate]})
        try:
            with store.run("churn/train"):
                raise ValueError("the data ran out")
        except ValueError:
            pass
        champion = store["churn@2"]
        champion.set_alias("champion", reason="better")
        absent = ""
        try:
            store["churn@99"]
        except NotFound as error:
            absent = error.message
        return {
            "python": ".".join(map(str, sys.version_info[:2])),
            "protobuf": google.protobuf.__version__.partition(".")[0],
            "runs": [[row["name"], row["state"]] for row in store.runs("churn").rows],
            "reason": store.run_facts("churn/train/3").reason,
            "model": store["churn@champion"].ref,
            "loaded": store["churn@champion"].load(),
            "best": store.compare("churn@1", "churn@2").best("auc"),
            "found": [row["auc"] for row in store.find("runs", "custom_properties.auc.double_value > 0.95")],
            "upstream": sorted(champion.provenance().names()),
            "data": [one.name for one in champion.provenance().data],
            "impact": sorted(store["churn-train@1"].impact().where(kind="artifact").names()),
            "odd": repr(store.run_facts("churn/train/1").properties["odd"]),
            "drawn": [
                drawing.svg.startswith("<svg")
                for drawing in (champion.lineage().drawing(), store.compare("churn/train/1").series("loss"))
            ],
            "absent": absent,
        }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
