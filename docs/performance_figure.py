"""Draw the picture of docs/speed.md from the figures that ``nox -s bench`` left.

python docs/performance_figure.py [PATH]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
from figures import GENERATED, HERE, STYLE, save
from matplotlib import pyplot as plt

RESULTS = HERE.parent / "benchmarks" / "results"
PEERS = {
    "cosine_annealing_with_warmup": "version 1.2.3",
    "CosineAnnealingParamScheduler": "mmengine",
    "CosineLRScheduler": "timm",
    "CosineAnnealingScheduler": "ignite (one value for all groups)",
}


def ratios(rows: list[dict[str, Any]], what: str, against: str | None = None) -> dict[int, float]:
    return {
        row["groups"]: row["ratio"]
        for row in rows
        if row["what"] == what and row.get("against") == against
    }


def draw_groups(axes: plt.Axes, ours: list[dict[str, Any]]) -> None:
    built_in = ratios(ours, "a built-in", "LambdaLR on lr")
    over_loop = ratios(ours, "a built-in", "the bare loop")
    proxied = ratios(ours, "LambdaLR on weight_decay", "LambdaLR on lr")
    loop = {groups: built_in[groups] / over_loop[groups] for groups in built_in}
    for path in sorted(RESULTS.glob("peer_*.json")):
        rows = json.loads(path.read_text())["steps"]
        for what in sorted({row["what"] for row in rows} & set(PEERS)):
            peer = ratios(rows, what)
            axes.plot(peer.keys(), peer.values(), label=PEERS[what], linewidth=1, marker=".")
    ink = mpl.rcParams["text.color"]
    axes.plot(
        proxied.keys(), proxied.values(), "--", color=ink, label="LambdaLR through the factory"
    )
    axes.plot(built_in.keys(), built_in.values(), color=ink, label="a built-in")
    axes.plot(loop.keys(), loop.values(), ":", color=ink, label="the bare loop")
    axes.axhline(1, color="0.6", linewidth=1)
    axes.set(xscale="log", yscale="log", xlabel="param groups")
    axes.set_title("a step, in steps of LambdaLR in torch")
    ticks = [0.1, 0.2, 0.5, 1, 2, 5]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([*built_in], [f"{groups:,}".replace(",", " ") for groups in built_in])
    axes.minorticks_off()
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=1)


def draw_targets(axes: plt.Axes, ours: list[dict[str, Any]]) -> None:
    several = [row for row in ours if row["what"].endswith(" in step") and row["groups"] == 100]
    several = [row for row in several if row["against"] == "LambdaLR on lr"]
    targets = [int(row["what"].split()[0]) for row in several]
    ink = mpl.rcParams["text.color"]
    steps = [row["ratio"] for row in several]
    axes.plot(targets, steps, color=ink, marker=".", label="built-ins in step")
    axes.axhline(1, color="0.6", linewidth=1, label="torch's LambdaLR on lr alone")
    axes.set(xlabel="targets", xticks=targets, ylim=0)
    axes.set_title("100 param groups, in steps of LambdaLR in torch")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2))


def main(path: Path = GENERATED / "performance.svg") -> None:
    ours = json.loads((RESULTS / "torch_schedule_anything.json").read_text())["steps"]
    path.parent.mkdir(parents=True, exist_ok=True)
    with plt.rc_context(STYLE):
        figure, (groups, targets) = plt.subplots(2, 1, figsize=(5, 8.4))
        draw_groups(groups, ours)
        draw_targets(targets, ours)
        save(figure, path)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
