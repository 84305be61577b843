#!/usr/bin/python3
"""What a careful user of pandas and xgboost would write to train on a history file.

reference_train.py INPUT.csv OUTPUT.ubj --target C --positive V --id C [--trees N] [--depth N]
                   [--rate R]

Reads, encodes categories one-hot, fits and saves; no validation, no report. One thread."""
import argparse

import pandas
import xgboost


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument("--target", required=True)
    parser.add_argument("--positive", required=True)
    parser.add_argument("--id", required=True)
    parser.add_argument("--trees", type=int, default=400)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--rate", type=float, default=0.1)
    options = parser.parse_args()
    table = pandas.read_csv(options.input, na_values=[" "])
    labels = table[options.target] == options.positive
    encoded = pandas.get_dummies(table.drop(columns=[options.target, options.id]), dtype="float32")
    booster = xgboost.train(
        {"objective": "binary:logistic", "max_depth": options.depth, "eta": options.rate,
         "min_child_weight": 1, "lambda": 1, "tree_method": "hist", "nthread": 1},
        xgboost.DMatrix(encoded, labels, nthread=1), num_boost_round=options.trees)
    booster.save_model(options.output)


if __name__ == "__main__":
    main()
