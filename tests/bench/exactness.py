"""Holds what bench-kernel computed against xgboost itself, on the same encoded rows."""
import dataclasses
import json
import os

import numpy

from reference_score import Xgboost, group, load


@dataclasses.dataclass
class Differences:
    contributions: float
    same_reasons: float  # share of rows
    additivity: float


def owners_of(sources):
    """Which source each feature belongs to, in the order of lib/ml/features.h."""
    owners = []
    for number, source in enumerate(sources):
        count = 1
        if source["type"] == "Categorical":
            count = source.get("hot", 0) + bool(source.get("other")) + bool(source.get("shares"))
        owners += [number] * count
    return owners


def read_dump(path, shape):
    rows, features, sources = shape["rows"], shape["features"], shape["sources"]
    with open(path, "rb") as file:
        return (numpy.fromfile(file, "<f4", rows * features).reshape(rows, features),
                numpy.fromfile(file, "<f8", rows * sources).reshape(rows, sources),
                numpy.fromfile(file, "<f8", rows))


def top(grouped, count=3):
    return numpy.sort(numpy.argsort(-numpy.abs(grouped), axis=1, kind="stable")[:, :count], axis=1)


def same_top(ours, theirs):
    """Reasons that differ by less than floats can tell may change places."""
    different = (top(ours) != top(theirs)).any(axis=1)
    for row in numpy.flatnonzero(different):
        a, b = (numpy.sort(numpy.abs(values[row]))[-3:] for values in (ours, theirs))
        different[row] = numpy.abs(a - b).max() > 1e-5
    return 1 - different.mean()


def compare(model_folder, dump, shape):
    model = load(model_folder)
    sources, slope = model["features"]["sources"], model["calibration"]["slope"]
    encoded, ours, margins = read_dump(dump, shape)
    expected = Xgboost(model_folder, model).contributions(encoded)
    theirs = group(expected, owners_of(sources), sources, slope)
    base = float(expected[0, -1]) * slope
    return Differences(float(numpy.abs(ours - theirs).max()), float(same_top(ours, theirs)),
                       float(numpy.abs(ours.sum(axis=1) + base - margins * slope).max()))
