"""Make the values in the tables beside this file again: what other libraries' schedules give.

    pip install torch transformers timm optax
    python tests/builtins/curves/parity/make_tables.py

Each line of a table is a case: a call of another library, values for its symbols, and the number of
steps to keep. A new case is a line without values. The call is run on a plain optimizer, whose
initial value is "lr". A schedule of optax or DINOv2 is a function, so it is called with the step.
The value at each step is kept in full precision. docs/curves.md has the expression that gives the
same values here, and test_parity.py compares.
"""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import optax
import timm.scheduler
import torch
import transformers


def dinov2(base: float, final: float, steps: int, warmup: int = 0) -> Callable[[int], float]:
    """The formula of DINOv2's ``CosineScheduler``, which is not on a package index.

    The warmup goes from 0 to ``base`` at its last step, ``warmup`` − 1, as ``np.linspace`` does.
    """

    def value(t: int) -> float:
        if t < warmup:
            return base * t / (warmup - 1)
        if t >= steps:
            return final
        done = (t - warmup) / (steps - warmup)
        return final + 0.5 * (base - final) * (1 + math.cos(math.pi * done))

    return value


# The names that the calls of each table use.
LIBRARIES: dict[str, dict[str, Any]] = {
    "torch": vars(torch.optim.lr_scheduler),
    "transformers": vars(transformers.optimization),
    "timm": vars(timm.scheduler),
    "optax": vars(optax),
    "dinov2": {"CosineScheduler": dinov2},
}


def values_of(library: str, call: str, symbols: dict[str, Any], steps: int) -> list[float]:
    names = {**LIBRARIES[library], **symbols}
    if library in ("optax", "dinov2"):
        schedule = eval(call, names)
        return [float(schedule(t)) for t in range(steps)]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=symbols["lr"])
    schedule = eval(call, {**names, "opt": optimizer})
    values = []
    for t in range(steps):
        if library == "timm":
            schedule.step(t)
        elif t:
            optimizer.step()
            schedule.step()
        values.append(optimizer.param_groups[0]["lr"])
    return values


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    for library in LIBRARIES:
        path = Path(__file__).with_name(f"{library}.json")
        table = json.loads(path.read_text())
        for case in table["cases"]:
            case["values"] = values_of(library, case["call"], case["symbols"], case["steps"])
        made_with = {
            name: platform.python_version() if name == "python" else version(name)
            for name in table["made_with"]
        }
        # One line per case, so that a diff shows the cases that changed.
        lines = ",\n".join(map(json.dumps, table["cases"]))
        path.write_text(f'{{"made_with": {json.dumps(made_with)},\n"cases": [\n{lines}\n]}}\n')
        print(library, len(table["cases"]), "cases")


if __name__ == "__main__":
    main()
