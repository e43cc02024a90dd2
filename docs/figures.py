"""Draw the pictures of the documentation from the code that they show.

    python docs/figures.py [FOLDER] [SUFFIX]

Needs matplotlib. Writes SVG files to docs/_static/generated/ by default, each one twice: NAME.svg
for the light theme of the site, and NAME.dark.svg for the dark one.

- Each picture of a curve or a built-in shows the expression that it is drawn from. The tables and
  the gallery have a small one of each.
- A picture ``howto_NAME`` has the values that the program above it trains with.
- Any other picture of a page is the variable ``figure`` of the blocks above it.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import re
import sys
import tempfile
import textwrap
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch

mpl.use("agg")  # works without a screen

import howto_figures  # beside this file
from matplotlib import pyplot as plt

import torch_schedule_anything as tsa
import tsa_builtins
from tsa_builtins import curves

HERE = Path(__file__).resolve().parent
GENERATED = HERE / "_static" / "generated"


def curve_pictures() -> dict[str, list[str]]:
    """By name of the curve, the expressions in its picture. The first is in the gallery too.

    curves.md has them as the titles of its images. A single one is the title of the picture;
    several are in its legend.
    """
    image = re.compile(r"""_static/generated/thumbnail_(\w+)\.svg (["'])(.*?)\2\)""")
    page = (HERE / "curves.md").read_text()
    return {name: titles.split("; ") for name, _, titles in image.findall(page)}


CURVES = curve_pictures()

# The arguments of every built-in in its picture.
ARGUMENTS = {
    "value": 1,
    "warmup_to_value": 1,
    "anneal_to_value": 0.2,
    "num_warmup_steps": 20,
    "num_decay_steps": 40,
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
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "lines.linewidth": 2,
    "savefig.transparent": True,
    "svg.hashsalt": "the same picture from the same code",
}
# Each color of the light theme, and the one that the dark theme has in its place.
INK = {"#1f2328": "#d6dae0"}
COLORS = {
    "#0969da": "#6cb6ff",
    "#bc4c00": "#f0a04b",
    "#1a7f37": "#6bc46d",
    "#8250df": "#c297ff",
    "#bf3989": "#ff80b5",
    "#6e7781": "#a0a8b2",
}
DARK = {**INK, **COLORS}
INKED = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
STYLE.update({"axes.prop_cycle": mpl.cycler(color=[*COLORS]), **dict.fromkeys(INKED, *INK)})


def draw_curves(expressions: list[str], path: Path) -> None:
    """Draw steps −10 to 110, to show a curve before 0 and past its end too."""
    made = {each: eval(each, dict(vars(curves))) for each in expressions}
    t = steps_of(next(iter(made.values())), -10)
    columns = 2 if max(map(len, expressions)) <= 35 else 1
    legend_rows = -(-len(expressions) // columns) if len(expressions) > 1 else 0
    figure, axes = plt.subplots(figsize=(5, 2.4 + 0.2 * legend_rows))
    for expression, curve in made.items():
        axes.plot(t, without_jumps(curve(t)), label=expression)
    axes.axvspan(t[0], 0, color="0.5", alpha=0.15, linewidth=0, zorder=0)
    axes.set(xlim=(t[0], t[-1]), ylim=(-0.05, 1.08), xlabel="t", ylabel="λ(t)")
    axes.set_yticks(np.linspace(0, 1, 6))
    if legend_rows:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=columns)
    else:
        axes.set_title(textwrap.fill(expressions[0], 48, break_long_words=False))
    save(figure, path)


def steps_of(curve: curves.Curve, first: float) -> np.ndarray:
    """The steps to draw, from ``first`` on. A power is a rule: it is drawn over multiples."""
    return (
        np.linspace(0, 1, 1001) if isinstance(curve, curves.Power) else np.arange(first, 110, 0.05)
    )


def without_jumps(values: np.ndarray) -> np.ndarray:
    """Break the line where it would be vertical: a jump is not a slope."""
    values[1:][np.abs(np.diff(values)) > 0.05] = np.nan
    return values


def builtin_calls() -> list[str]:
    """A call of every built-in, with the arguments that it takes."""
    makers = {name: getattr(tsa_builtins, name) for name in tsa_builtins.__all__}
    taken = {
        name: [str(ARGUMENTS[p]) for p in inspect.signature(make).parameters if p in ARGUMENTS]
        for name, make in makers.items()
        if inspect.isfunction(make) and "schedule_target" in inspect.signature(make).parameters
    }
    return [f"{name}(optimizer, {', '.join(arguments)})" for name, arguments in taken.items()]


def curve_of_builtin(expression: str) -> curves.Curve:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    names = {name: getattr(tsa, name) for name in tsa.__all__}
    return eval(expression, {**names, "optimizer": optimizer}).curve


def draw_builtin(expression: str, path: Path) -> None:
    """Draw a built-in on the axes that all of them share, with the arguments as ticks."""
    t = np.arange(0, 121)
    figure, axes = plt.subplots(figsize=(3.6, 2.5))
    axes.plot(t, curve_of_builtin(expression)(t))
    name, parenthesis, arguments = expression.partition("(")
    figure.suptitle(f"{name}\n{parenthesis}{arguments}", fontsize=8)
    axes.set(xlim=(0, 120), ylim=(0, 2.1), xlabel="t", ylabel="λ(t)")
    axes.set_xticks([0, 20, 100], ["0", "L = 20", "M = 100"])
    axes.set_yticks([0, 0.2, 1, 2], ["0", "A = 0.2", "W = 1", "R·W = 2"])
    save(figure, path)


def draw_thumbnail(curve: curves.Curve, top: float, path: Path) -> None:
    """Draw a curve alone, without a word, from step 0 on."""
    t = steps_of(curve, 0)
    figure, axes = plt.subplots(figsize=(2.2, 1.3))
    axes.plot(t, without_jumps(curve(t)))
    axes.axhline(0, color=mpl.rcParams["axes.edgecolor"], linewidth=0.8)
    axes.set(xlim=(t[0], t[-1]), ylim=(-0.06 * top, 1.08 * top))
    axes.set_axis_off()
    save(figure, path)


def draw_figures_of(page: Path, folder: Path, suffix: str, drawn: set[str]) -> None:
    """Draw the other pictures of a page: each is the ``figure`` of the blocks above it."""
    parts = re.split(r"(?ms)^```python\n(.*?)^```$", page.read_text())
    images = [re.findall(r"_static/generated/([\w-]+)\.svg", text) for text in parts[::2]]
    wanted = [[name for name in names if name not in drawn] for names in images]
    last = max((place for place, names in enumerate(wanted) if names), default=0)
    if not any("figure = " in block for block in parts[1 : 2 * last : 2]):
        return
    namespace = {"__name__": page.stem}
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as temporary:
        os.chdir(temporary)
        try:
            torch.manual_seed(0)
            for block, names in zip(parts[1::2], wanted[1 : last + 1]):
                exec(block, namespace)
                for name in names:
                    figure = namespace["figure"]
                    figure.set_size_inches(5, 0.6 + 1.5 * len(figure.axes))  # fits a phone
                    save(figure, folder / f"{name}{suffix}")
        finally:
            os.chdir(before)


def save(figure: plt.Figure, path: Path) -> None:
    for axes in figure.axes:
        for line in (*axes.get_xgridlines(), *axes.get_ygridlines()):
            line.set(color="0.5", alpha=0.35)  # seen on a light page and on a dark one
    date = {"metadata": {"Date": None}} if path.suffix == ".svg" else {"dpi": 150}
    figure.savefig(path, **date)
    plt.close(figure)
    if path.suffix == ".svg":
        light = path.read_text(encoding="utf-8")
        dark = re.sub("|".join(DARK), lambda color: DARK[color[0]], light)
        path.with_suffix(".dark.svg").write_text(dark, encoding="utf-8")


def main(folder: Path = GENERATED, suffix: str = ".svg") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pages = [page for page in sorted(HERE.rglob("*.md")) if "_build" not in page.parts]
    drawn = {"performance"}  # performance_figure.py draws it
    with plt.rc_context(STYLE), contextlib.redirect_stdout(None):  # some pages print
        for name, expressions in CURVES.items():
            draw_curves(expressions, folder / f"curve_{name}{suffix}")
            curve = eval(expressions[0], dict(vars(curves)))
            draw_thumbnail(curve, 1, folder / f"thumbnail_{name}{suffix}")
            drawn |= {f"curve_{name}", f"thumbnail_{name}"}
        for call in builtin_calls():
            name = call.partition("(")[0]
            draw_builtin(call, folder / f"{name}{suffix}")
            draw_thumbnail(curve_of_builtin(call), 2, folder / f"thumbnail_{name}{suffix}")
            drawn |= {name, f"thumbnail_{name}"}
        for name, figure in howto_figures.figures():
            save(figure, folder / f"{name}{suffix}")
            drawn.add(name)
        for page in pages:
            draw_figures_of(page, folder, suffix, drawn)


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:2]), *sys.argv[2:])
