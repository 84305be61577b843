#!/usr/bin/python3
"""What a careful user of pandas and xgboost would write to score a weekly file with a model of ours.

reference_score.py MODEL-FOLDER INPUT.csv OUTPUT.csv [--reasons N] [--rows N]

Reads model.json (encoding, calibration, threshold) and the booster, and writes the columns that
churn-scorer writes. One thread. Prints CPU seconds of its phases as JSON."""
import argparse
import json
import os
import time

import numpy
import pandas
import xgboost

MISSING = ["", "NA", "N/A", "#N/A", "NaN", "nan", "null"]
TRUE = {"true", "yes", "y", "t", "1"}


class Phases:
    def __init__(self):
        self.seconds, self.last = {}, time.process_time()

    def end(self, name):
        now = time.process_time()
        self.seconds[name], self.last = now - self.last, now


def read(path, sources, identity, rows):
    """Only the columns that are needed, with their types, as the documentation of pandas advises."""
    types = {source["name"]: "float64" if source["type"] == "Numeric" else "category"
             for source in sources}
    if identity:
        types[identity] = "str"
    return pandas.read_csv(path, usecols=list(types), dtype=types, nrows=rows, keep_default_na=False,
                           na_values={name: [*MISSING, " "] for name, type_ in types.items()
                                      if type_ == "float64"})


def encode(table, sources):
    """The features of lib/ml/features.h as one float32 matrix, and which source each belongs to."""
    columns, owners = [], []
    for number, source in enumerate(sources):
        column = table[source["name"]]
        if source["type"] == "Numeric":
            encoded = [column.to_numpy(numpy.float32)]
        elif source["type"] == "Boolean":
            words = column.cat.categories.str.strip().str.lower()
            meaning = numpy.where(words.isin(["", *map(str.lower, MISSING)]), numpy.nan,
                                  words.isin(TRUE))
            encoded = [meaning[column.cat.codes].astype(numpy.float32)]
        else:
            encoded = encode_category(column, source)
        columns += encoded
        owners += [number] * len(encoded)
    return numpy.column_stack(columns), numpy.array(owners)


def encode_category(column, source):
    levels = source.get("levels", [])
    hot = source.get("hot", 0)
    place = {level: index for index, level in enumerate(levels)}
    of_category = numpy.array([place.get(text.strip(), len(levels)) for text in column.cat.categories])
    level = of_category[column.cat.codes]
    encoded = [(level == index).astype(numpy.float32) for index in range(hot)]
    if source.get("other"):
        encoded.append((level >= hot).astype(numpy.float32))
    if source.get("shares"):
        encoded.append(numpy.array(source["shares"], numpy.float32)[level])
    return encoded


def group(contributions, owners, sources, slope):
    """Contributions of features to those of source columns, in calibrated log-odds."""
    grouped = numpy.zeros((len(contributions), len(sources)))
    for feature, owner in enumerate(owners):
        grouped[:, owner] += contributions[:, feature]
    return grouped * slope


def name_reasons(table, sources, grouped, count):
    top = numpy.argsort(-numpy.abs(grouped), axis=1, kind="stable")[:, :count]
    values = [table[source["name"]].astype(str).to_numpy() for source in sources]
    names = [source["name"] for source in sources]
    return [[f"{names[i]}={values[i][row]} ({grouped[row, i]:+.2f})" for row, i in enumerate(chosen)]
            for chosen in top.T]


class Xgboost:
    def __init__(self, folder, model):
        self.booster = xgboost.Booster({"nthread": 1})
        self.booster.load_model(os.path.join(folder, model["weights"]["file"]))
        self.booster.set_param({"nthread": 1})

    def log_odds(self, encoded):
        return self.booster.predict(xgboost.DMatrix(encoded, nthread=1), output_margin=True)

    def contributions(self, encoded):
        return self.booster.predict(xgboost.DMatrix(encoded, nthread=1), pred_contribs=True)


def load(folder):
    with open(os.path.join(folder, "model.json"), encoding="utf-8") as file:
        return json.load(file)


def score(options, model, library, phases):
    """Scores with a library: log_odds() and contributions() of encoded rows. Returns how many rows there were."""
    sources, calibration = model["features"]["sources"], model["calibration"]
    trees = library(options.model, model)
    phases.end("load")
    table = read(options.input, sources, model.get("id"), options.rows)
    phases.end("parse")
    encoded, owners = encode(table, sources)
    phases.end("encode")
    log_odds = calibration["slope"] * trees.log_odds(encoded) + calibration["intercept"]
    probability = 1 / (1 + numpy.exp(-log_odds))
    phases.end("predict")
    result = {model["id"]: table[model["id"]]} if model.get("id") else {}
    result["churn_probability"] = probability.round(6)
    result["churn_prediction"] = (probability >= model["threshold"]).astype(int)
    if options.reasons:
        contributions = trees.contributions(encoded)
        phases.end("explain")
        grouped = group(contributions, owners, sources, calibration["slope"])
        for number, texts in enumerate(name_reasons(table, sources, grouped, options.reasons), 1):
            result[f"reason_{number}"] = texts
        phases.end("reasons")
    pandas.DataFrame(result).to_csv(options.output, index=False)
    phases.end("write")
    return len(table)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument("--reasons", type=int, default=0)
    parser.add_argument("--rows", type=int)
    options = parser.parse_args()
    phases = Phases()
    rows = score(options, load(options.model), Xgboost, phases)
    print(json.dumps({"rows": rows, **phases.seconds}))


if __name__ == "__main__":
    main()
