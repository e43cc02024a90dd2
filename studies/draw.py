"""Draw the figures of the studies from their results, and from nothing else.

    python studies/draw.py [FOLDER] [SUFFIX]

Needs matplotlib. Writes study_NAME.svg and study_NAME.dark.svg, one for each theme of the site, to
docs/_static/generated/ by default.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import batch_size
import one_run
import weight_decay
from jobs import HERE, Job
from measures import median

DOCS = HERE.parent / "docs"
sys.path.insert(0, str(DOCS))

from figures import GENERATED, STYLE, save  # type: ignore[import-not-found]  # noqa: E402
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402

RESULTS = HERE / "results"


def colors() -> list[str]:
    """A neutral color for the arm that the others are compared with, then those of the theme."""
    return ["0.5", *plt.rcParams["axes.prop_cycle"].by_key()["color"]]


def label(arm: str, best: list[Job]) -> str:
    return f"{arm}, lr {best[0]['rate']:g}"


def draw_lines(axes: Axes, x: Any, seeds: Sequence[Sequence[float]], color: str, name: str) -> None:
    """The median over the seeds, and a thin line per seed."""
    for line in seeds:
        axes.plot(x, line, color=color, linewidth=0.6, alpha=0.5)
    axes.plot(x, [median(values) for values in zip(*seeds)], color=color, label=name)


def draw_dots(
    axes: Axes, columns: Sequence[Sequence[float]], color: str, shift: float, name: str
) -> None:
    """A dot per seed in each column, and a line through the medians."""
    x = [i + shift for i in range(len(columns))]
    for at, seeds in zip(x, columns):
        axes.plot([at] * len(seeds), seeds, ".", color=color, alpha=0.6, markersize=5)
    axes.plot(x, [median(seeds) for seeds in columns], color=color, linewidth=1.2, label=name)


def shifts(count: int) -> list[float]:
    return [0.12 * (i - (count - 1) / 2) for i in range(count)]


def set_columns(axes: Axes, names: Sequence[Any], xlabel: str) -> None:
    axes.set_xticks(range(len(names)), [f"{name:g}" for name in names])
    axes.set_xlabel(xlabel)


def draw_weight_decay(result: dict[str, Any], path: Path) -> None:
    runs, arms, decays = result["runs"], weight_decay.ARMS, weight_decay.WEIGHT_DECAYS
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(10.5, 4.2))
    for arm, color, shift in zip(arms, colors(), shifts(len(arms))):
        best = weight_decay.best_runs(runs, arm, (max(decays),))
        points = len(best[0]["gradient_norm"])
        relative = []
        for run in best:
            second_tenth = run["gradient_norm"][points // 10 : points // 5]
            level = sum(second_tenth) / len(second_tenth)
            relative.append([norm / level for norm in run["gradient_norm"]])
        progress = [(i + 0.5) / points for i in range(points)]
        draw_lines(left, progress, relative, color, label(arm, best))
        by_decay = [weight_decay.best_runs(runs, arm, (decay,)) for decay in decays]
        growth = [[run["growth"] for run in best] for best in by_decay]
        draw_dots(middle, growth, color, shift, arm)
        draw_dots(right, [[run["loss"] for run in best] for best in by_decay], color, shift, arm)
    for axes in (left, middle):
        axes.axhline(1, color="0.6", linewidth=1)
    left.set(xlabel="fraction of the run", ylim=(0, None))
    left.set_title(f"gradient norm at weight decay {max(decays):g},\nin units of its second tenth")
    middle.set_title("growth of the gradient norm:\nlast tenth over second tenth")
    right.set_title("validation loss\nin nats per character")
    for axes in (middle, right):
        set_columns(axes, decays, "weight decay")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    save(figure, path)


def draw_batch_size(result: dict[str, Any], path: Path) -> None:
    runs, arms, rates = result["runs"], batch_size.ARMS, batch_size.RATES
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(10.5, 4.2))
    for arm, color, shift in zip(arms, colors(), shifts(len(arms))):
        best = batch_size.best_runs(runs, arm)
        samples, steps, _ = zip(*best[0]["curve"])
        losses = [[point[2] for point in run["curve"]] for run in best]
        draw_lines(left, [count / 1000 for count in samples], losses, color, label(arm, best))
        draw_lines(middle, steps, losses, color, arm)
        by_rate = [
            [run["loss"] for run in runs if run["arm"] == arm and run["rate"] == rate]
            for rate in rates
        ]
        draw_dots(right, by_rate, color, shift, arm)
    left.set(xlabel="thousands of samples")
    left.set_title("validation loss over samples,\neach arm at its best rate")
    middle.set(xlabel="optimizer steps")
    middle.set_title("the same\nover optimizer steps")
    for axes in (left, middle):
        ends = [run["curve"][-1][2] for run in runs]
        axes.set_ylim(min(ends) - 0.03, min(ends) + 0.6)
    right.set_title("validation loss at the end,\nby peak rate")
    set_columns(right, rates, "peak lr")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    save(figure, path)


def draw_one_run(result: dict[str, Any], path: Path) -> None:
    runs, rates = result["runs"], one_run.RATES
    forked = one_run.forked_runs(runs)
    lengths = one_run.lengths(forked[0]["steps"])
    cosines = [one_run.cosine_runs(runs, length) for length in lengths]
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(10.5, 4.2))
    losses: dict[str, Sequence[Sequence[float]]] = {
        "a cosine run per length": [[run["loss"] for run in best] for best in cosines],
        "one run, cooled down": [*zip(*(run["loss_by_length"] for run in forked))],
        "one run, before its cooldown": [*zip(*(run["loss_before_cooldown"] for run in forked))],
    }
    for (name, columns), color, shift in zip(losses.items(), colors(), shifts(3)):
        draw_dots(left, columns, color, shift, name)
    left.set_title("validation loss over length,\neach at its best rate")
    set_columns(left, lengths, "steps")
    for i, length in enumerate(lengths):
        difference = one_run.differences(runs)[length]
        middle.plot([i] * len(difference), difference, ".", color=colors()[0])
        middle.plot([i - 0.2, i + 0.2], [median(difference)] * 2, color=colors()[0])
        for arm, color in zip(one_run.ARMS, colors()):
            by_rate = [loss_at(runs, arm, rate, length, i) for rate in rates]
            right.plot(range(len(rates)), [*map(median, by_rate)], color=color, marker=".")
        right.annotate(f" {length} steps", (len(rates) - 1, median(by_rate[-1])), va="center")
    middle.axhline(0, color="0.6", linewidth=1)
    middle.axhline(one_run.TOLERANCE, color="0.6", linewidth=1, linestyle=":")
    middle.set_xlim(-0.5, len(lengths) - 0.5)
    middle.set_title("cooled down minus cosine,\nby seed; dotted: the tolerance")
    set_columns(middle, lengths, "steps")
    right.set_xlim(-0.2, len(rates) - 0.2)
    right.set_title("medians by rate,\nin the same colors")
    set_columns(right, rates, "lr")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    save(figure, path)


def loss_at(runs: list[Job], arm: str, rate: float, length: int, i: int) -> list[float]:
    mine = [run for run in runs if run["arm"] == arm and run["rate"] == rate]
    if arm == "cosine":
        return [run["loss"] for run in mine if run["length"] == length]
    return [run["loss_by_length"][i] for run in mine]


DRAW: dict[str, Callable[[dict[str, Any], Path], None]] = {
    weight_decay.NAME: draw_weight_decay,
    batch_size.NAME: draw_batch_size,
    one_run.NAME: draw_one_run,
}


def main(folder: Path = GENERATED, suffix: str = ".svg") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with plt.rc_context(STYLE):
        for name, draw in DRAW.items():
            result = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
            draw(result, folder / f"study_{name}{suffix}")


if __name__ == "__main__":
    if sys.argv[1:]:
        main(Path(sys.argv[1]), *sys.argv[2:])
    else:
        main()
