"""Figures and how they are shown: a table, and JSON lines.

A figure has a value, mostly a reference measured in the same run, and a goal. A ratio is either a
speedup (reference / value: how many times less than the reference) or a share (value / reference);
goals on ratios say which by their sense: ">=" asks for a speedup or a rate, "<=" for a share."""
import dataclasses
import json


@dataclasses.dataclass(frozen=True)
class Goal:
    sense: str  # "<=" or ">="
    bound: float
    of: str = "value"  # or "ratio"
    stretch: float = None
    unit: str = ""

    def text(self):
        unit = "x" if self.of == "ratio" else self.unit and " " + self.unit
        stretch = "" if self.stretch is None else f" ({self.sense} {number(self.stretch)}{unit})"
        return f"{self.sense} {number(self.bound)}{unit}{stretch}"

    def met(self, value, ratio):
        measured = ratio if self.of == "ratio" else value
        if measured is None:
            return None
        return measured <= self.bound if self.sense == "<=" else measured >= self.bound


@dataclasses.dataclass
class Figure:
    name: str
    value: float = None
    unit: str = ""
    reference: float = None
    ratio: float = None
    goal: Goal = None
    note: str = ""

    def met(self):
        return self.goal.met(self.value, self.ratio) if self.goal else None

    def verdict(self):
        if self.value is None:
            return "not measured"
        if self.goal is None:
            return ""
        return {True: "met", False: "NOT MET", None: "not measured"}[self.met()]

    def line(self):
        return json.dumps({
            "name": self.name, "value": self.value, "unit": self.unit, "reference": self.reference,
            "ratio": self.ratio, "goal": self.goal.text() if self.goal else None, "met": self.met(),
            **({"note": self.note} if self.note else {})})

    def cells(self):
        return [self.name, number(self.value), self.unit, number(self.reference),
                number(self.ratio) + ("x" if self.ratio is not None else ""),
                self.goal.text() if self.goal else "", self.verdict()]


def number(value):
    """Three significant digits, no exponents."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    if 0 < abs(value) < 1e-3:
        return f"{value:.1e}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def speedup(value, reference):
    return reference / value if value and reference is not None else None


def share(value, reference):
    return value / reference if value is not None and reference else None


HEADINGS = ["figure", "value", "unit", "reference", "ratio", "goal", ""]


class Report:
    """Collects figures; shows each group when it is complete."""

    def __init__(self, json_file=None):
        self.figures = []
        self.shown = 0
        self.json_file = json_file

    def add(self, *fields, **options):
        figure = Figure(*fields, **options)
        self.figures.append(figure)
        if self.json_file:
            print(figure.line(), file=self.json_file, flush=True)
        return figure

    def missing(self, name, reason, goal=None):
        self.add(name, goal=goal, note=reason)

    def under(self, prefix):
        """A view of this report that begins the names of its figures so."""
        return Prefixed(self, prefix)

    def show(self):
        figures = self.figures[self.shown:]
        self.shown = len(self.figures)
        rows = [HEADINGS] + [figure.cells() for figure in figures]
        widths = [max(len(row[i]) for row in rows) for i in range(len(HEADINGS))]
        for row, figure in zip(rows, [None, *figures]):
            print("  ".join(cell.rjust(width) if i in (1, 3, 4) else cell.ljust(width)
                            for i, (cell, width) in enumerate(zip(row, widths))).rstrip())
            if figure is None:
                print("  ".join("-" * width for width in widths))
            elif figure.note:
                print(f"    {figure.note}")
        print(flush=True)


class Prefixed:
    def __init__(self, report, prefix):
        self.report, self.prefix = report, prefix

    def add(self, name, *fields, **options):
        return self.report.add(self.prefix + name, *fields, **options)

    def missing(self, name, *fields, **options):
        self.report.missing(self.prefix + name, *fields, **options)
