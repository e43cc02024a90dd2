"""Count the graphs of a compiled step with a moving value: compiled_steps.py RESULT.json PAGE.md.

Each optimizer and each value of its param groups is tried as a float and as a tensor. Inductor
compiles twelve steps, and a schedule changes the value before each. The result counts graphs that
hold operators, and the steps in which one of them ran. PAGE.md has a heading with the name of each
optimizer, and the table below it is written anew.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from measuring import machine
from torch._inductor.compile_fx import compile_fx
from torch.nn import Parameter
from tqdm import tqdm

import torch_schedule_anything as tsa

STEPS = 12
NOTHING, UNREAD, NESTEROV = "nothing", "an entry of your own", "momentum (nesterov)"
INITIAL = {
    "lr": 0.5,
    "weight_decay": 0.25,
    "momentum": 0.9,
    "dampening": 0.25,
    "betas[0]": 0.9,
    "betas[1]": 0.99,
    "eps": 1e-3,
    UNREAD: 1.0,
}
OPTIMIZERS = {
    "SGD": ("lr", "weight_decay", "momentum", NESTEROV, "dampening", UNREAD, NOTHING),
    "Adam": ("lr", "weight_decay", "betas[0]", "betas[1]", "eps", UNREAD, NOTHING),
    "AdamW": ("lr", "weight_decay", "betas[0]", "betas[1]", "eps", UNREAD, NOTHING),
}
KINDS = {"float, for-loop": False, "float, foreach": True, "tensor": None}


class Inductor:
    """Inductor as a backend that counts the graphs it compiles and how often they run."""

    def __init__(self) -> None:
        self.graphs = 0
        self.runs = 0

    def __call__(self, graph: Any, inputs: Any) -> Any:
        compiled = compile_fx(graph, inputs)
        if not any(node.op in ("call_function", "call_method") for node in graph.graph.nodes):
            return compiled
        self.graphs += 1

        def run(*arguments: Any) -> Any:
            self.runs += 1
            return compiled(*arguments)

        return run


def build(name: str, value: str, kind: str) -> tuple[Any, Parameter, tsa.CurveSchedule]:
    """The optimizer, its parameter, and the schedule of the value that moves."""
    parameter = Parameter(torch.ones(4))
    if name == "SGD":
        settings = {key: INITIAL[key] for key in ("lr", "weight_decay", "momentum", "dampening")}
        if value == NESTEROV:
            settings.update(dampening=0.0, nesterov=True)
    else:
        settings = {key: INITIAL[key] for key in ("lr", "weight_decay", "eps")}
        settings["betas"] = (INITIAL["betas[0]"], INITIAL["betas[1]"])
    optimizer = getattr(torch.optim, name)([parameter], foreach=KINDS[kind], **settings)
    tsa.extend_optimizer(optimizer, UNREAD, INITIAL[UNREAD])
    target = {NESTEROV: "momentum", NOTHING: UNREAD}.get(value, value)
    if kind == "tensor" and value != NOTHING:
        number = torch.tensor(INITIAL[target])
        tsa.extend_optimizer(optimizer, target, number, overwrite_values=True)
    moves = 0 if value == NOTHING else 1
    return optimizer, parameter, tsa.CurveSchedule(optimizer, lambda t: 1 - moves * t / 50, target)


def train(parameter: Parameter, schedule: tsa.CurveSchedule, step: Callable[[], Any]) -> None:
    for t in range(STEPS):
        parameter.grad = torch.full((4,), 1.0 + t)
        step()
        schedule.step()


def measure(name: str, value: str, kind: str) -> dict[str, Any]:
    torch._dynamo.reset()
    backend = Inductor()
    optimizer, parameter, schedule = build(name, value, kind)
    compiled = torch.compile(optimizer.step, backend=backend)
    runs_after_steps = [0]

    def step() -> None:
        compiled()
        runs_after_steps.append(backend.runs)

    train(parameter, schedule, step)
    return {
        "optimizer": name,
        "value": value,
        "kind": kind,
        "graphs": backend.graphs,
        "compiled_steps": [after > before for before, after in pairwise(runs_after_steps)],
        "right": same_as_eager(name, value, parameter),
    }


def same_as_eager(name: str, value: str, parameter: Parameter) -> bool:
    """True if eager steps under the same schedule of floats end in the same parameters."""
    optimizer, expected, schedule = build(name, value, "float, for-loop")
    train(expected, schedule, optimizer.step)
    # A compiled Adam takes its capturable path, which rounds differently in float32.
    return torch.allclose(parameter, expected, rtol=1e-4, atol=1e-5)


def text_of(cell: dict[str, Any]) -> str:
    compiled = cell["compiled_steps"]
    graphs = f"{cell['graphs']} graph{'s' * (cell['graphs'] != 1)}"
    if all(compiled):
        text = graphs
    elif not any(compiled):
        text = "eager"
    else:
        text = f"{graphs}, eager from step {STEPS - compiled[::-1].index(True) + 1}"
    return text if cell["right"] else f"{text}, **wrong values**"


def table(cells: list[dict[str, Any]], optimizer: str) -> str:
    rows = [["what moves", *KINDS], ["---"] * (1 + len(KINDS))]
    for value in OPTIMIZERS[optimizer]:
        by_kind = {
            cell["kind"]: text_of(cell)
            for cell in cells
            if (cell["optimizer"], cell["value"]) == (optimizer, value)
        }
        name = value if value in (NOTHING, UNREAD) else re.sub(r"^\S+", r"`\g<0>`", value)
        rows.append([name, *(by_kind[kind] for kind in KINDS)])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def write_tables(result: dict[str, Any], page: Path) -> None:
    text = page.read_text()
    for optimizer in OPTIMIZERS:
        head, heading, rest = text.partition(f"### {optimizer}\n\n")
        rest = re.sub(r"\A(\|.*\n)*", "", rest)
        text = head + heading + table(result["cells"], optimizer) + rest
    machine_text = ", ".join(f"{name} {value}" for name, value in result["machine"].items())
    page.write_text(re.sub(r"(?m)^Measured on: .*$", f"Measured on: {machine_text}.", text))


def main(result_path: Path, page: Path) -> None:
    # Dynamo logs a warning each time that it reaches the recompile limit.
    logging.getLogger("torch._dynamo").setLevel(logging.ERROR)
    cells = [
        (optimizer, value, kind)
        for optimizer, values in OPTIMIZERS.items()
        for value in values
        for kind in KINDS
    ]
    result = {
        "machine": machine(),
        "steps": STEPS,
        "recompile_limit": torch._dynamo.config.recompile_limit,
        "cells": [measure(*cell) for cell in tqdm(cells, desc="compiling")],
    }
    result_path.write_text(json.dumps(result, indent=1) + "\n")
    write_tables(result, page)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
