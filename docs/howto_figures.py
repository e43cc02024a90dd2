"""Draw the values with which a program on a page trains, for figures.py.

The program is the block above the picture ``howto_NAME.svg``. It runs as it is. A hook of torch
sees each step of an optimizer, and records what the variable ``schedule`` holds at that time.
"""

from __future__ import annotations

import os
import re
import tempfile
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import torch
from matplotlib import pyplot as plt
from torch.optim.optimizer import register_optimizer_step_pre_hook

import torch_schedule_anything as tsa

HERE = Path(__file__).resolve().parent
# A program, and its picture as the next thing after it.
PROGRAM = re.compile(
    r"^```python\n((?:(?!^```).*\n)*)```\n\n!\[[^\]]*\]\(\S*_static/generated/howto_(\w+)\.svg\)$",
    re.MULTILINE,
)

# A run: the positions, and the scalars at each of them.
Run = tuple[list[float], list[dict[str, float]]]


@cache
def runs_of(name: str, program: str) -> list[Run]:
    """The runs of a program: one for each object that ``schedule`` is in turn."""
    namespace: dict[str, Any] = {"__name__": name}
    runs: list[Run] = []
    schedules: list[Any] = []

    def record(*_: Any) -> None:
        schedule = namespace.get("schedule")
        if schedule is None:  # the program begins with a run without one
            return
        if schedule not in schedules[-1:]:
            schedules.append(schedule)
            runs.append(([], []))
        positions, values = runs[-1]
        if schedule.last_epoch not in positions[-1:]:  # the second of two optimizers
            positions.append(schedule.last_epoch)
            values.append(scalars_of(schedule))

    before = os.getcwd()
    hook = register_optimizer_step_pre_hook(record)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("error")
        os.chdir(folder)
        try:
            torch.manual_seed(0)
            exec(compile(program, name, "exec"), namespace)
        finally:
            os.chdir(before)
            hook.remove()
    return runs


def scalars_of(schedule: Any) -> dict[str, float]:
    """The values, as they go to a logger: ``"lr/0"`` or ``"lr/backbone"``."""
    if not isinstance(schedule, tsa.SynchronousSchedule):
        schedule = tsa.SynchronousSchedule([schedule])
    return schedule.get_last_scalars()


def draw(runs: list[Run]) -> plt.Figure:
    """Draw one panel per target, and one line per param group. Later runs are dashed."""
    targets: dict[str, list[str]] = {}
    for name in runs[0][1][0]:
        target, _, group = name.rpartition("/")
        targets.setdefault(target, []).append(group)
    size = (5.6, 0.6 + 1.6 * len(targets))
    figure, panels = plt.subplots(len(targets), figsize=size, sharex=True, squeeze=False)
    for (target, groups), panel in zip(targets.items(), panels[:, 0]):
        for color, group in enumerate(groups):
            for positions, values in runs:
                first = positions is runs[0][0]
                panel.plot(
                    positions,
                    [each[f"{target}/{group}"] for each in values],
                    color=f"C{color}",
                    linestyle="-" if first else "--",
                    label=group if first else None,
                )
        if len(groups) > 1:
            panel.legend()
        panel.set_title(target, loc="left")
        panel.margins(x=0.01)
    panels[-1, 0].set_xlabel("t")
    return figure


def figures() -> Iterator[tuple[str, plt.Figure]]:
    """The name and the figure of each program that has one."""
    for page in sorted([*HERE.glob("*.md"), *HERE.glob("howto/*.md")]):
        for program, name in PROGRAM.findall(page.read_text()):
            yield f"howto_{name}", draw(runs_of(name, program))
