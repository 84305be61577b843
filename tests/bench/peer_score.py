"""A weekly file through a library that is known to be fast, as a careful user of it would write it.

peer_score.py PEER MODEL-FOLDER INPUT.csv OUTPUT.csv [--reasons N] [--rows N]
peer_score.py PEER MODEL-FOLDER HISTORY.csv TARGET=POSITIVE --train

Peers: xgboost, onedal (predicts by oneDAL, explains by woodelf) score the model's own booster; catboost and
lightgbm a model of as many trees of the same depth, which --train made of the same features beside it. One
thread. Prints CPU seconds of its phases as JSON; start-up of the interpreter and imports are "start"."""
import argparse
import json
import os
import time

import numpy
import pandas

from reference_score import Phases, Xgboost, encode, load, read, score

TREES, DEPTH = 400, 4


class Onedal(Xgboost):
    def __init__(self, folder, model):
        super().__init__(folder, model)
        import daal4py
        daal4py.daalinit(nthreads=1)
        self.converted = daal4py.mb.convert_model(self.booster)
        self.explainer = None

    def log_odds(self, encoded):
        chance = numpy.asarray(self.converted.predict_proba(encoded))[:, 1]
        return numpy.log(chance / (1 - chance))

    def contributions(self, encoded):
        import woodelf
        if self.explainer is None:
            self.explainer = woodelf.WoodelfExplainer(self.booster)
        return numpy.asarray(self.explainer.shap_values(
            pandas.DataFrame(encoded, columns=self.booster.feature_names), verbose=False))


class Catboost:
    FILE = "peer.cbm"

    def __init__(self, folder, model):
        import catboost
        self.library = catboost
        self.trees = catboost.CatBoostClassifier(thread_count=1)
        self.trees.load_model(os.path.join(folder, self.FILE))

    @staticmethod
    def train(folder, encoded, labels):
        import catboost
        trees = catboost.CatBoostClassifier(iterations=TREES, depth=DEPTH, verbose=False, thread_count=1,
                                            allow_writing_files=False)
        trees.fit(encoded, labels)
        trees.save_model(os.path.join(folder, Catboost.FILE))

    def log_odds(self, encoded):
        return self.trees.predict(encoded, prediction_type="RawFormulaVal", thread_count=1)

    def contributions(self, encoded):
        pool = self.library.Pool(encoded, thread_count=1)
        return self.trees.get_feature_importance(pool, type="ShapValues", thread_count=1)


class Lightgbm:
    FILE = "peer.lgb"

    def __init__(self, folder, model):
        import lightgbm
        self.trees = lightgbm.Booster(model_file=os.path.join(folder, self.FILE))

    @staticmethod
    def train(folder, encoded, labels):
        import lightgbm
        parameters = {"objective": "binary", "num_leaves": 2 ** DEPTH, "max_depth": DEPTH, "num_threads": 1,
                      "learning_rate": 0.01, "verbose": -1}
        trees = lightgbm.train(parameters, lightgbm.Dataset(encoded, labels), TREES)
        trees.save_model(os.path.join(folder, Lightgbm.FILE))

    def log_odds(self, encoded):
        return self.trees.predict(encoded, raw_score=True, num_threads=1)

    def contributions(self, encoded):
        return self.trees.predict(encoded, pred_contrib=True, num_threads=1)


PEERS = {"xgboost": Xgboost, "onedal": Onedal, "catboost": Catboost, "lightgbm": Lightgbm}


def train(options, model):
    target, positive = options.output.split("=")
    sources = model["features"]["sources"]
    encoded, _ = encode(read(options.input, sources, None, None), sources)
    labels = pandas.read_csv(options.input, usecols=[target], dtype=str)[target] == positive
    PEERS[options.peer].train(options.model, encoded, labels.to_numpy(int))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=sorted(PEERS))
    parser.add_argument("model")
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument("--reasons", type=int, default=0)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--train", action="store_true")
    options = parser.parse_args()
    phases = Phases()
    phases.seconds["start"] = time.process_time()
    model = load(options.model)
    if options.train:
        train(options, model)
        return
    rows = score(options, model, PEERS[options.peer], phases)
    print(json.dumps({"rows": rows, **phases.seconds}))


if __name__ == "__main__":
    main()
