"""What a moving value costs a compiled step: python compiled_steps.py RESULT.json PAGE.md.

For each optimizer and each value of its param groups, as a float and as a tensor: twelve steps,
compiled by inductor, under a schedule that changes the value before each. Counted are the graphs
that hold operators, and the steps in which one of them ran. The tables of PAGE.md, each below the
heading with the optimizer's name, are written anew from RESULT.json.
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
    """The backend, counting the graphs that it is given and how often they run."""

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


def build(optimizer: str, value: str, kind: str) -> tuple[Any, Parameter, tsa.CurveSchedule]:
    """The optimizer, its parameter, and the schedule of the value that moves."""
    parameter = Parameter(torch.ones(4))
    if optimizer == "SGD":
        given = {key: INITIAL[key] for key in ("lr", "weight_decay", "momentum", "dampening")}
        if value == NESTEROV:
            given.update(dampening=0.0, nesterov=True)
    else:
        given = {key: INITIAL[key] for key in ("lr", "weight_decay", "eps")}
        given["betas"] = (INITIAL["betas[0]"], INITIAL["betas[1]"])
    made = getattr(torch.optim, optimizer)([parameter], foreach=KINDS[kind], **given)
    tsa.extend_optimizer(made, UNREAD, INITIAL[UNREAD])
    target = {NESTEROV: "momentum", NOTHING: UNREAD}.get(value, value)
    if kind == "tensor" and value != NOTHING:
        number = torch.tensor(INITIAL[target])
        tsa.extend_optimizer(made, target, number, overwrite_values=True)
    moves = 0 if value == NOTHING else 1
    return made, parameter, tsa.CurveSchedule(made, lambda t: 1 - moves * t / 50, target)


def train(parameter: Parameter, schedule: tsa.CurveSchedule, step: Callable[[], Any]) -> None:
    for t in range(STEPS):
        parameter.grad = torch.full((4,), 1.0 + t)
        step()
        schedule.step()


def measure(optimizer: str, value: str, kind: str) -> dict[str, Any]:
    torch._dynamo.reset()
    backend = Inductor()
    made, parameter, schedule = build(optimizer, value, kind)
    compiled = torch.compile(made.step, backend=backend)
    runs = [0]

    def step() -> None:
        compiled()
        runs.append(backend.runs)

    train(parameter, schedule, step)
    return {
        "optimizer": optimizer,
        "value": value,
        "kind": kind,
        "graphs": backend.graphs,
        "compiled_steps": [after > before for before, after in pairwise(runs)],
        "right": same_as_eager(optimizer, value, parameter),
    }


def same_as_eager(optimizer: str, value: str, parameter: Parameter) -> bool:
    """Whether an eager step under the same schedule of floats ends in the same parameters."""
    made, expected, schedule = build(optimizer, value, "float, for-loop")
    train(expected, schedule, made.step)
    # Compiled, Adam takes its capturable path, which rounds differently in float32.
    return torch.allclose(parameter, expected, rtol=1e-4, atol=1e-5)


def in_words(cell: dict[str, Any]) -> str:
    compiled = cell["compiled_steps"]
    graphs = f"{cell['graphs']} graph{'s' * (cell['graphs'] != 1)}"
    if all(compiled):
        words = graphs
    elif not any(compiled):
        words = "eager"
    else:
        words = f"{graphs}, eager from step {STEPS - compiled[::-1].index(True) + 1}"
    return words if cell["right"] else f"{words}, **wrong values**"


def table(cells: list[dict[str, Any]], optimizer: str) -> str:
    rows = [["what moves", *KINDS], ["---"] * (1 + len(KINDS))]
    for value in OPTIMIZERS[optimizer]:
        by_kind = {
            cell["kind"]: in_words(cell)
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
    where = ", ".join(f"{what} {value}" for what, value in result["machine"].items())
    page.write_text(re.sub(r"(?m)^Measured on: .*$", f"Measured on: {where}.", text))


def main(result_path: Path, page: Path) -> None:
    logging.getLogger("torch._dynamo").setLevel(
        logging.ERROR
    )  # it tells of each limit that it hits
    todo = [
        (optimizer, value, kind)
        for optimizer, values in OPTIMIZERS.items()
        for value in values
        for kind in KINDS
    ]
    result = {
        "machine": machine(),
        "steps": STEPS,
        "recompile_limit": torch._dynamo.config.recompile_limit,
        "cells": [measure(*cell) for cell in tqdm(todo, desc="compiling")],
    }
    result_path.write_text(json.dumps(result, indent=1) + "\n")
    write_tables(result, page)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
