from mlmd_client import Store
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

store = Store()  # SQLite and files in ./mlmd-data; Store("grpc://host:8080"), or MLMD_SERVER, is the same on a server

with store.run("digits/prepare", params={"test_size": 0.3}) as run:
    images = load_digits(as_frame=True).frame
    train, test = train_test_split(images, test_size=0.3, stratify=images["target"], random_state=0)
    run.log_dataset("digits-train", train)  # hashed, sent, versioned: digits-train@1
    run.log_dataset("digits-test", test)

models = []
for model in (GaussianNB(), KNeighborsClassifier(), RandomForestClassifier(random_state=0)):
    with store.run("digits/train", params={"kind": type(model).__name__, **model.get_params()}) as run:
        train = run.use("digits-train@latest").df()  # using is lineage
        test = run.use("digits-test@latest").df()
        model.fit(train.drop(columns="target"), train["target"])
        run.evaluate("test", test["target"], model.predict_proba(test.drop(columns="target")))  # matrix and curves
        models.append(run.log_model("digits", model))

compared = store.compare(*models)
print(compared.table().where(lambda row: row["figure"] in ("test/accuracy", "test/f1_macro", "test/mcc")))
best = store[compared.best("test/accuracy")]
best.set_alias("champion", reason="highest accuracy on the test data")

print(f"\nThe champion is {best.ref}. It came from:")
print(store["digits@champion"].provenance().table())
print("\nWhat stands and falls with the training data:", [m.name for m in store["digits-train@latest"].impact().models])
compared.confusion_matrix("test")[f"{best.ref} test"].save("champion.svg")
store["digits@champion"].lineage().drawing().save("lineage.svg")
