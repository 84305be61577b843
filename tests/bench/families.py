"""Customers whose chance to leave is known, in families of shapes that nothing was tuned to.

A family is a function from a random.Random to a Population: columns, and the log-odds of a row. What is
drawn by the generator (coefficients, cuts, which columns matter) is another shape for every seed."""
import dataclasses
import math
import statistics
from typing import Callable

SPEC = {"target": "left", "positiveLabel": "1", "id": "customer"}


@dataclasses.dataclass
class Population:
    """`draw` makes one row as a dict of columns; `score` its log-odds up to scale and shift, which
    sample() chooses for the spread and the share of churners below. `hide` takes cells away."""
    draw: Callable
    score: Callable
    share: float = 0.2
    spread: float = 1.6  # standard deviation of the log-odds
    hide: Callable = None  # changes a row that was scored


def normals(count):
    return lambda rng: {f"x{i}": rng.gauss(0, 1) for i in range(count)}


def weights(rng, count):
    return [rng.choice((-1, 1)) * rng.uniform(0.2, 1) for _ in range(count)]


def linear(rng):
    """Sums of correlated numbers and of a small category."""
    slopes, plans = weights(rng, 6), {plan: rng.gauss(0, 0.7) for plan in "ABCD"}

    def draw(rng):
        common = rng.gauss(0, 1)
        row = {f"x{i}": 0.6 * common + 0.8 * rng.gauss(0, 1) for i in range(9)}
        return {**row, "plan": rng.choice("ABCD")}
    return Population(draw, lambda row: sum(slope * row[f"x{i}"] for i, slope in enumerate(slopes)) +
                      plans[row["plan"]])


def interactions(rng):
    """Products of pairs: no column says anything alone."""
    pairs = [rng.sample(range(8), 2) for _ in range(3)]
    slopes = weights(rng, 3)
    return Population(normals(8), lambda row: sum(
        slope * row[f"x{a}"] * row[f"x{b}"] for slope, (a, b) in zip(slopes, pairs)))


def thresholds(rng):
    """Rules: a step where two or three columns pass their cuts."""
    rules = [(weight, [(column, rng.gauss(0, 0.7), rng.random() < 0.5) for column in rng.sample(range(10), size)])
             for weight, size in zip(weights(rng, 8), (1, 1, 2, 2, 2, 3, 3, 3))]
    return Population(normals(10), lambda row: sum(weight for weight, cuts in rules if all(
        (row[f"x{column}"] > cut) == above for column, cut, above in cuts)))


def waves(rng):
    """Curves that go up and down."""
    curves = [(weight, rng.uniform(1, 3), rng.uniform(0, 6)) for weight in weights(rng, 4)]
    return Population(normals(8), lambda row: sum(
        weight * math.sin(pace * row[f"x{i}"] + phase) for i, (weight, pace, phase) in enumerate(curves)) +
        abs(row["x5"]))


def levels(rng):
    """Two categories of hundreds of levels, some frequent, each with a tendency of its own."""
    sizes = (rng.randrange(60, 200), rng.randrange(200, 600))
    effects = [[rng.gauss(0, 1) for _ in range(size)] for size in sizes]
    slopes = weights(rng, 3)

    def draw(rng):
        row = {f"x{i}": rng.gauss(0, 1) for i in range(5)}
        for name, size in zip(("city", "employer"), sizes):
            row[name] = f"{name}-{int(size * rng.random() ** 2)}"
        return row

    def score(row):
        place, work = (int(row[name].split("-")[1]) for name in ("city", "employer"))
        return sum(slope * row[f"x{i}"] for i, slope in enumerate(slopes)) + effects[0][place] + effects[1][work]
    return Population(draw, score)


def missing(rng):
    """Cells are missing more often where it matters, and that they are says something."""
    slopes, gap = weights(rng, 4), rng.choice((-1, 1)) * rng.uniform(0.8, 1.5)

    def draw(rng):
        row = {f"x{i}": rng.gauss(0, 1) for i in range(7)}
        return {**row, "silent": rng.random() < 0.25}

    def hide(rng, row):
        for name in ("x1", "x4"):
            if rng.random() < 1 / (1 + math.exp(1 - row[name])):
                row[name] = ""
        if row.pop("silent"):
            row["x0"] = ""
    return Population(draw, lambda row: sum(slope * row[f"x{i}"] for i, slope in enumerate(slopes)) +
                      gap * row["silent"] + 0.5 * row["x0"] * row["x1"], hide=hide)


def rare(rng):
    """One in thirty leaves, among many columns that say nothing."""
    slopes = weights(rng, 5)
    return Population(normals(20), lambda row: sum(slope * row[f"x{i}"] for i, slope in enumerate(slopes)) +
                      0.7 * (row["x0"] > 1) * (row["x1"] > 0), share=0.03)


def tails(rng):
    """Amounts over many orders of magnitude; their ratio and logarithm matter."""
    slopes, width = weights(rng, 4), rng.uniform(1.5, 3)

    def draw(rng):
        row = {f"amount{i}": round(math.exp(width * rng.gauss(0, 1)), 4) for i in range(5)}
        return {**row, "odd": rng.gauss(0, 1) / (abs(rng.gauss(0, 1)) + 1e-3)}

    def score(row):
        logs = [math.log(row[f"amount{i}"] + 1e-4) / width for i in range(5)]
        return (slopes[0] * logs[0] + slopes[1] * math.tanh(2 * (logs[1] - logs[2])) + slopes[2] * logs[3] +
                slopes[3] * math.atan(row["odd"]))
    return Population(draw, score)


def mixture(rng):
    """Two kinds of customers who leave for different reasons; counts, flags and copies of columns."""
    slopes, others = weights(rng, 5), weights(rng, 5)

    def draw(rng):
        row = {f"x{i}": rng.gauss(0, 1) for i in range(4)}
        return {**row, "calls": min(int(rng.expovariate(0.5)), 20), "member": rng.choice(("yes", "no")),
                "copy": round(row["x0"], 1), "segment": rng.choice(("retail", "business", "youth"))}

    def score(row):
        chosen = slopes if row["member"] == "yes" else others
        return (sum(slope * row[f"x{i}"] for i, slope in enumerate(chosen[:4])) + chosen[4] * row["calls"] / 3 +
                (row["segment"] == "youth") * (row["calls"] > 2))
    return Population(draw, score)


FAMILIES = {family.__name__: family for family in
            (linear, interactions, thresholds, waves, levels, missing, rare, tails, mixture)}


def shift_for(scores, share):
    """What to add to log-odds so that their mean chance is `share`."""
    low, high = -40.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        if statistics.fmean(1 / (1 + math.exp(-score - middle)) for score in scores) < share:
            low = middle
        else:
            high = middle
    return low


def sample(population, rng, count):
    """Rows as dicts, and the chance of each."""
    rows = [population.draw(rng) for _ in range(count)]
    scores = [population.score(row) for row in rows]
    scale = population.spread / statistics.pstdev(scores)
    scores = [scale * score for score in scores]
    shift = shift_for(scores, population.share)
    if population.hide:
        for row in rows:
            population.hide(rng, row)
    return rows, [1 / (1 + math.exp(-score - shift)) for score in scores]


def table(rows, labels):
    """Header and lines of text, the label last."""
    cells = [[f"{cell:.6g}" if isinstance(cell, float) else str(cell) for cell in row.values()] for row in rows]
    return (["customer", *rows[0], "left"],
            [[f"c{i}", *line, str(int(label))] for i, (line, label) in enumerate(zip(cells, labels))])
