"""Chances of churn by libraries as a careful user of each would call it, on one thread.

peer_quality.py TRAIN.csv TEST.csv DATA.json LIBRARY...

DATA.json is the `data` of a Train document: target, positiveLabel, id, drop. A LIBRARY is one of LIBRARIES;
"-early" finds the number of trees inside the training rows. Prints {LIBRARY: [chance of each test row]}."""
import json
import sys

import numpy
import pandas

RATE, PATIENCE, MOST_TREES, FOLDS, SEED = 0.05, 50, 3000, 5, 42


class Rows:
    """Of both files: columns of numbers as floats, all others as categories of text."""

    def __init__(self, train_path, test_path, spec):
        train, test = (pandas.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
                       for path in (train_path, test_path))
        for table in (train, test):
            table.columns = table.columns.str.strip()
        self.labels = (train[spec["target"]] == spec["positiveLabel"]).astype(int)
        unused = [spec["id"], spec["target"], *spec.get("drop", [])]
        self.train = train.drop(columns=unused)
        self.test = test.drop(columns=unused, errors="ignore")
        self.categories = []
        for name in self.train:
            train, test = self.train[name].str.strip(), self.test[name].str.strip()
            numbers = pandas.to_numeric(train, errors="coerce")
            if numbers.isna().equals(train == ""):
                self.train[name], self.test[name] = numbers, pandas.to_numeric(test, errors="coerce")
            else:
                self.categories.append(name)
                self.train[name], self.test[name] = train, test

    def one_hot(self):
        both = pandas.get_dummies(pandas.concat([self.train, self.test]), columns=self.categories, dtype=float)
        both.columns = [f"f{i}" for i in range(both.shape[1])]  # some libraries refuse characters of names
        return both[:len(self.train)], both[len(self.train):]

    def native(self):
        train, test = self.train.copy(), self.test.copy()
        for name in self.categories:
            kind = pandas.CategoricalDtype(sorted(set(train[name])))
            train[name], test[name] = train[name].astype(kind), test[name].astype(kind)
        return train, test


def xgboost(rows, early):
    import xgboost as library
    train, test = rows.one_hot()
    if not early:
        model = library.XGBClassifier(n_jobs=1)
        return model.fit(train, rows.labels).predict_proba(test)[:, 1]
    options = {"objective": "binary:logistic", "eval_metric": "logloss", "eta": RATE, "max_depth": 4,
               "min_child_weight": 5, "nthread": 1}
    data = library.DMatrix(train, rows.labels)
    found = library.cv(options, data, MOST_TREES, nfold=FOLDS, stratified=True, seed=SEED,
                       early_stopping_rounds=PATIENCE)
    return library.train(options, data, len(found)).predict(library.DMatrix(test))


def lightgbm(rows, early):
    import lightgbm as library
    train, test = rows.native()
    if not early:
        model = library.LGBMClassifier(n_jobs=1, verbose=-1)
        return model.fit(train, rows.labels).predict_proba(test)[:, 1]
    options = {"objective": "binary", "metric": "binary_logloss", "learning_rate": RATE, "num_threads": 1,
               "num_leaves": 15, "min_data_in_leaf": 20, "verbose": -1}
    found = library.cv(options, library.Dataset(train, rows.labels), MOST_TREES, nfold=FOLDS, stratified=True,
                       seed=SEED, callbacks=[library.early_stopping(PATIENCE, verbose=False)])
    trees = len(found["valid binary_logloss-mean"])
    return library.train(options, library.Dataset(train, rows.labels), trees).predict(test)


def catboost(rows, early):
    import catboost as library
    from sklearn.model_selection import train_test_split
    options = {"cat_features": rows.categories, "thread_count": 1, "verbose": False, "allow_writing_files": False,
               "random_seed": SEED}
    if early:
        inner, judged, labels, judged_labels = train_test_split(
            rows.train, rows.labels, test_size=1 / FOLDS, stratify=rows.labels, random_state=SEED)
        options["learning_rate"] = RATE
        search = library.CatBoostClassifier(iterations=MOST_TREES, early_stopping_rounds=PATIENCE, **options)
        search.fit(inner, labels, eval_set=(judged, judged_labels))
        options["iterations"] = search.tree_count_
    model = library.CatBoostClassifier(**options)
    return model.fit(rows.train, rows.labels).predict_proba(rows.test)[:, 1]


def logistic(rows, _):
    """Numbers as normal quantiles; the penalty by cross-validation."""
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.preprocessing import QuantileTransformer
    train, test = (table.copy() for table in rows.one_hot())
    for name in train:
        if train[name].nunique() <= 2 and not train[name].isna().any():
            continue
        fill = train[name].median()
        shape = QuantileTransformer(n_quantiles=min(1000, len(train)), output_distribution="normal",
                                    random_state=SEED)
        train[name] = shape.fit_transform(train[[name]].fillna(fill))[:, 0]
        test[name] = shape.transform(test[[name]].fillna(fill))[:, 0]
    model = LogisticRegressionCV(Cs=numpy.logspace(-3, 2, 6), cv=FOLDS, scoring="neg_log_loss", max_iter=1000)
    return model.fit(train, rows.labels).predict_proba(test)[:, 1]


LIBRARIES = {"xgboost": (xgboost, False), "xgboost-early": (xgboost, True),
             "lightgbm": (lightgbm, False), "lightgbm-early": (lightgbm, True),
             "catboost": (catboost, False), "catboost-early": (catboost, True),
             "logistic": (logistic, False)}


def main():
    train, test, spec, *names = sys.argv[1:]
    with open(spec, encoding="utf-8") as file:
        rows = Rows(train, test, json.load(file))
    chances = {}
    for name in names:
        library, early = LIBRARIES[name]
        chances[name] = [float(chance) for chance in library(rows, early)]
    json.dump(chances, sys.stdout)


if __name__ == "__main__":
    main()
