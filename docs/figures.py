"""Draw the pictures of the documentation from the code that they show.

    python docs/figures.py [FOLDER] [SUFFIX]

Needs matplotlib. Writes SVG files to docs/_static/generated/ by default. Each picture of a curve or
a built-in shows the expression that it is drawn from.
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch

mpl.use("agg")  # works without a screen

from matplotlib import pyplot as plt

import torch_schedule_anything as tsa
import tsa_builtins
from tsa_builtins import curves

HERE = Path(__file__).resolve().parent

# By name of the picture, its expressions. A single one is the title; several are in the legend.
CURVES = {
    "constant": ["Constant(0.5)"],
    "linear": ["Linear(0, 1, 60)"],
    "cosine": ["Cosine(1, 0, 60)", "QuarterCosine(1, 0, 60)"],
    "polynomial": [f"Polynomial(1, 0, 60, {exponent})" for exponent in (0.5, 1, 2, 4)],
    "exponential": ["Exponential(1, 0.01, 60)", "Exponential(0.1, 1, 60)"],
    "one_minus_sqrt": ["OneMinusSqrt(1, 0, 60)"],
    "inverse_sqrt": ["InverseSqrt(1, 10)", "InverseSqrt(1, 40)"],
    "inverse_power": [f"InversePower(1, 10, {exponent})" for exponent in (0.5, 1, 2)],
    "piecewise_linear": ["PiecewiseLinear({0: 0, 10: 1, 40: 0.8, 80: 0.1})"],
    "piecewise_constant": ["PiecewiseConstant({0: 1, 30: 0.5, 60: 0.1})"],
    "join": ["join([Linear(0, 1, 10), Constant(1), OneMinusSqrt(1, 0, 30)], [10, 60])"],
    "product": ["Linear(0, 1, 20) * PiecewiseConstant({0: 1, 50: 0.4})"],
    "clip": ["clip(InverseSqrt(1, 10), 0.4, 0.8)"],
    "repeat": ["repeat(Cosine(1, 0, 14), 14, growth=2, decay=0.7)"],
    "delay": ["delay(Cosine(1, 0, 60), 25)", "delay(Cosine(1, 0, 60), -25)"],
    "stretch": [
        "Cosine(1, 0, 40)",
        "stretch(Cosine(1, 0, 40), 2)",
        "stretch(Cosine(1, 0, 40), 0.5)",
    ],
}

# The arguments of every built-in in its picture.
ARGUMENTS = {
    "value": 1,
    "warmup_to_value": 1,
    "anneal_to_value": 0.2,
    "num_warmup_steps": 20,
    "num_training_steps": 100,
    "polynomial_exponent": 4,
    "warmup_multiplier": 2,
}

STYLE = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 8,
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans Mono",  # comes with matplotlib
    "font.size": 9,
    "grid.alpha": 0.35,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 2,
    "savefig.facecolor": "white",
    "svg.hashsalt": "the same picture from the same code",
}


def draw_curves(expressions: list[str], path: Path) -> None:
    """Draw steps −10 to 110, to show a curve before 0 and past its end too."""
    t = np.linspace(-10, 110, 2401)
    legend_rows = (len(expressions) + 1) // 2 if len(expressions) > 1 else 0
    figure, axes = plt.subplots(figsize=(5.6, 2.4 + 0.2 * legend_rows))
    for expression in expressions:
        values = eval(expression, dict(vars(curves)))(t)
        # A jump is not a slope: break the line where it would be vertical.
        values[1:][np.abs(np.diff(values)) > 0.05] = np.nan
        axes.plot(t, values, label=expression)
    axes.axvspan(t[0], 0, color="0.94", zorder=0)
    axes.set(xlim=(t[0], t[-1]), ylim=(-0.05, 1.08), xlabel="t", ylabel="λ(t)")
    axes.set_yticks(np.linspace(0, 1, 6))
    if legend_rows:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    else:
        axes.set_title(expressions[0])
    save(figure, path)


def builtin_calls() -> list[str]:
    """A call of every built-in, with the arguments that it takes."""
    makers = {name: getattr(tsa_builtins, name) for name in tsa_builtins.__all__}
    taken = {
        name: [str(ARGUMENTS[p]) for p in inspect.signature(make).parameters if p in ARGUMENTS]
        for name, make in makers.items()
        if callable(make)
    }
    return [f"{name}(optimizer, {', '.join(arguments)})" for name, arguments in taken.items()]


def draw_builtin(expression: str, folder: Path, suffix: str) -> None:
    """Draw a built-in on the axes that all of them share, with the arguments as ticks."""
    t = np.arange(0, 121)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = eval(expression, {**vars(tsa), "optimizer": optimizer})
    figure, axes = plt.subplots(figsize=(3.6, 2.5))
    axes.plot(t, schedule.curve(t))
    name, parenthesis, arguments = expression.partition("(")
    figure.suptitle(f"{name}\n{parenthesis}{arguments}", fontsize=8)
    axes.set(xlim=(0, 120), ylim=(0, 2.1), xlabel="t", ylabel="λ(t)")
    axes.set_xticks([0, 20, 100], ["0", "L = 20", "M = 100"])
    axes.set_yticks([0, 0.2, 1, 2], ["0", "A = 0.2", "W = 1", "R·W = 2"])
    save(figure, folder / f"{name}{suffix}")


def draw_preview(path: Path) -> None:
    """Draw the figure of the first block of the landing page."""
    block = re.search(r"```python\n(.*?)```", (HERE / "index.md").read_text(), re.DOTALL)[1]
    namespace = {}
    exec(block, namespace)
    namespace["figure"].set_size_inches(5.6, 3.8)
    save(namespace["figure"], path)


def save(figure: plt.Figure, path: Path) -> None:
    date = {"metadata": {"Date": None}} if path.suffix == ".svg" else {"dpi": 150}
    figure.savefig(path, **date)
    plt.close(figure)


def main(folder: Path = HERE / "_static" / "generated", suffix: str = ".svg") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with plt.rc_context(STYLE):
        for name, expressions in CURVES.items():
            draw_curves(expressions, folder / f"curve_{name}{suffix}")
        for expression in builtin_calls():
            draw_builtin(expression, folder, suffix)
        draw_preview(folder / f"preview{suffix}")


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:2]), *sys.argv[2:])
