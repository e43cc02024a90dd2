"""Compare steps with torch's and with a bare loop: python step_cost.py RESULT.json."""

from __future__ import annotations

import functools
import gc
import itertools
import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import torch
from bare_views import BARE_VIEWS, OTHER_VIEWS
from measuring import GROUPS, adamw, compare, machine, on_adamw, yardstick
from torch.optim import lr_scheduler as torch_lr

import torch_schedule_anything as tsa
import tsa_core

STEPS = 10**9  # so many that no curve reaches its end

TORCH_SCHEDULERS: dict[str, Callable[[Any], Any]] = {
    "LambdaLR": lambda o: torch_lr.LambdaLR(o, lambda t: 0.95**t),
    "ExponentialLR": lambda o: torch_lr.ExponentialLR(o, 0.9999),
    "OneCycleLR": lambda o: torch_lr.OneCycleLR(o, 0.2, total_steps=STEPS, cycle_momentum=False),
    "SequentialLR": lambda o: torch_lr.SequentialLR(
        o,
        [torch_lr.LinearLR(o, 0.1, total_iters=4), torch_lr.ExponentialLR(o, 0.9999)],
        milestones=[5],
    ),
}


def cosine(optimizer: Any, target: str = "lr") -> tsa.CurveSchedule:
    return tsa.cosine_annealing_with_warmup(optimizer, 1.0, 0.1, 100, STEPS, schedule_target=target)


def builtins_on_entries(optimizer: Any, number: int) -> list[tsa.CurveSchedule]:
    """Built-ins on ``number`` float entries of the groups."""
    names = ["lr", "weight_decay", "eps", *(f"entry_{i}" for i in range(3, number))][:number]
    for name in names[3:]:
        tsa.extend_optimizer(optimizer, name, 1.0)
    return [cosine(optimizer, name) for name in names]


def ticking() -> Callable[[], int]:
    """A clock that goes one further each time it is asked."""
    return itertools.count(1).__next__


def four_with_clocks(optimizer: Any) -> tsa.SynchronousSchedule:
    members = builtins_on_entries(optimizer, 4)
    clocks = {member.schedule_target: ticking() for member in members}
    return tsa.SynchronousSchedule(members, clock=clocks)


def four_with_one(optimizer: Any) -> tsa.SynchronousSchedule:
    return tsa.SynchronousSchedule(builtins_on_entries(optimizer, 4), clock=ticking())


def bare_loop(optimizer: torch.optim.Optimizer) -> Callable[[], None]:
    """A loop as a user writes it by hand, with the same curve and without checks."""
    groups_and_initial_values = [(group, group["lr"]) for group in optimizer.param_groups]
    curve, t = cosine(adamw(1)).curve, 0

    def step() -> None:
        nonlocal t
        t += 1
        multiplier = curve(t)
        for group, initial_value in groups_and_initial_values:
            group["lr"] = initial_value * multiplier

    return step


def bare_derived_loop(optimizer: torch.optim.Optimizer) -> Callable[[], None]:
    """A loop as a user writes it by hand: weight decay in proportion to lr, without checks."""
    groups = [(group, group["lr"], group["weight_decay"]) for group in optimizer.param_groups]

    def step() -> None:
        for group, initial_lr, initial_decay in groups:
            group["weight_decay"] = initial_decay * proportional(group["lr"] / initial_lr)

    return step


def bare_loop_of_both(optimizer: torch.optim.Optimizer) -> Callable[[], None]:
    """The bare loop, with weight decay in proportion to lr."""
    groups = [(group, group["lr"], group["weight_decay"]) for group in optimizer.param_groups]
    curve, t = cosine(adamw(1)).curve, 0

    def step() -> None:
        nonlocal t
        t += 1
        multiplier = curve(t)
        for group, initial_lr, initial_decay in groups:
            group["lr"] = initial_lr * multiplier
            group["weight_decay"] = initial_decay * proportional(group["lr"] / initial_lr)

    return step


def proportional(multiple: float) -> float:
    return multiple


def one_by_one(schedules: list[tsa.CurveSchedule]) -> Callable[[], None]:
    def step() -> None:
        for schedule in schedules:
            schedule.step()

    return step


def row(
    measured: str, against: str, groups: int, bound: float | None, **figures: Any
) -> dict[str, Any]:
    print(f"{measured} / {against}, {groups}: {figures['ratio']}", file=sys.stderr)
    holds = None if bound is None else figures["ratio"] <= bound
    names = {"what": measured, "against": against, "groups": groups}
    return {**names, **figures, "bound": bound, "holds": holds}


def all_rows() -> list[dict[str, Any]]:
    rows = []
    lambda_lr, built_in = "LambdaLR on lr", "a built-in"
    for groups, bound in zip(GROUPS, (0.6, 0.35, 0.25, 0.25, None)):
        figures = compare(on_adamw(groups, cosine).step, yardstick(groups))
        rows.append(row(built_in, lambda_lr, groups, bound, **figures))
    for groups, bound in zip(GROUPS, (None, None, 2.5, 2.5, 2.5)):
        figures = compare(on_adamw(groups, cosine).step, bare_loop(adamw(groups)))
        rows.append(row(built_in, "the bare loop", groups, bound, **figures))
    for name, make in TORCH_SCHEDULERS.items():
        for groups in GROUPS:
            proxied = on_adamw(groups, lambda o, make=make: tsa.arbitrary_schedule_factory(
                o, make, schedule_target="weight_decay"
            ))  # fmt: skip
            figures = compare(proxied.step, on_adamw(groups, make).step)
            rows.append(row(f"{name} on weight_decay", f"{name} on lr", groups, 1.8, **figures))
    for groups, bound in zip(GROUPS, (None, None, 1.15, None, None)):
        together = on_adamw(groups, lambda o: tsa.SynchronousSchedule(builtins_on_entries(o, 4)))
        apart = on_adamw(groups, lambda o: builtins_on_entries(o, 4))
        figures = compare(together.step, one_by_one(apart))
        rows.append(row("four in step", "one by one", groups, bound, **figures))
    for groups in GROUPS:
        of_each, of_all = (on_adamw(groups, make) for make in (four_with_clocks, four_with_one))
        figures = compare(of_each.step, of_all.step)
        rows.append(row("four, each with a clock", "four with one", groups, None, **figures))
    for number in (1, 2, 4, 8):
        together = on_adamw(
            100, lambda o, n=number: tsa.SynchronousSchedule(builtins_on_entries(o, n))
        )
        figures = compare(together.step, yardstick(100))
        rows.append(row(f"{number} in step", lambda_lr, 100, None, **figures))
    for groups, bound in zip(GROUPS, (None, None, None, 3.0, 3.0)):
        derived = on_adamw(groups, lambda o: tsa.DerivedSchedule(o, proportional, "weight_decay"))
        figures = compare(derived.step, bare_derived_loop(adamw(groups)))
        rows.append(row("a derived schedule", "its bare loop", groups, bound, **figures))
    for groups, bound in zip(GROUPS, (None, None, None, 3.0, 3.0)):
        together = on_adamw(groups, lambda o: tsa.SynchronousSchedule(
            [cosine(o), tsa.DerivedSchedule(o, proportional, "weight_decay")]
        ))  # fmt: skip
        figures = compare(together.step, bare_loop_of_both(adamw(groups)))
        rows.append(
            row(
                "a built-in with a derived schedule",
                "a bare loop of both",
                groups,
                bound,
                **figures,
            )
        )
    rows += [*rows_beside_torch(), *rows_of_attributes()]
    return [*rows, *rows_of_other_targets(), *rows_of_views()]


def rows_beside_torch() -> list[dict[str, Any]]:
    """A torch scheduler and a schedule that derives from it, together and apart."""
    exponential = TORCH_SCHEDULERS["ExponentialLR"]
    rows = []
    for groups in GROUPS:
        together = on_adamw(groups, lambda o: tsa.SynchronousSchedule(
            [exponential(o), tsa.DerivedSchedule(o, proportional, "weight_decay")]
        ))  # fmt: skip
        apart = on_adamw(
            groups, lambda o: [exponential(o), tsa.DerivedSchedule(o, proportional, "weight_decay")]
        )
        figures = compare(together.step, one_by_one(apart))
        rows.append(row("a torch scheduler and a derived one", "apart", groups, 3.0, **figures))
    return rows


class WithSetter:
    """Keeps ``p`` behind a property."""

    def __init__(self, p: float) -> None:
        self._p = p

    @property
    def p(self) -> float:
        return self._p

    @p.setter
    def p(self, p: float) -> None:
        self._p = p


def rows_of_attributes() -> list[dict[str, Any]]:
    """Schedules of an attribute of many objects, against the same of an entry of param groups."""
    kinds: dict[str, tuple[Callable[[float], Any], float | None]] = {
        "modules": (torch.nn.Dropout, 1.5),
        "objects": (lambda p: SimpleNamespace(p=p), 1.5),
        "dicts": (lambda p: {"p": p}, 1.5),
        "properties": (WithSetter, None),
    }
    exponential = TORCH_SCHEDULERS["ExponentialLR"]

    def put(optimizer: Any, target: str) -> Any:
        return tsa.arbitrary_schedule_factory(optimizer, exponential, schedule_target=target)

    rows = []
    for kind, (make, bound) in kinds.items():
        for groups in GROUPS:

            def target(make: Any = make, groups: int = groups) -> Any:
                return tsa.attributes([make(0.1 + i / 1e6) for i in range(groups)], "p")

            figures = compare(cosine(target(), "p").step, on_adamw(groups, cosine).step)
            rows.append(row(f"a built-in on {kind}", "on param groups", groups, bound, **figures))
            if kind == "modules":
                on_groups = on_adamw(groups, lambda o: put(o, "weight_decay"))
                figures = compare(put(target(), "p").step, on_groups.step)
                rows.append(
                    row("ExponentialLR on modules", "on param groups", groups, None, **figures)
                )
    return rows


def rows_of_other_targets() -> list[dict[str, Any]]:
    """Built-ins with absolute values, on an element of a tuple, and on tensors; and two curves."""

    def tensors(optimizer: Any) -> tsa.CurveSchedule:
        tsa.extend_optimizer(optimizer, "weight_decay", torch.tensor(0.1), overwrite_values=True)
        return cosine(optimizer, "weight_decay")

    def absolute(optimizer: Any) -> tsa.CurveSchedule:
        return tsa.cosine_annealing_with_warmup(optimizer, 1e-3, 1e-4, 100, STEPS, absolute=True)

    def two_curves(optimizer: Any) -> list[Any]:
        curves = [
            cosine(adamw(1)).curve,
            tsa.linear_schedule_with_warmup(adamw(1), 1.0, 0.1, 100, STEPS).curve,
        ]
        return [curves[i % 2] for i in range(len(optimizer.param_groups))]

    def by_name(optimizer: Any) -> tsa.CurveSchedule:
        for i, group in enumerate(optimizer.param_groups):
            group["name"] = f"group {i}"
        first, second = two_curves(optimizer)[:2]
        return tsa.CurveSchedule(optimizer, {"group 0": first, "*": second})

    rows = []
    for measured, make in (
        ("two curves, a list", lambda o: tsa.CurveSchedule(o, two_curves(o))),
        ("two curves, by name", by_name),
        ("a built-in with absolute=True", absolute),
        ("a built-in on betas[0]", lambda o: cosine(o, "betas[0]")),
        ("a built-in on tensors", tensors),
    ):
        figures = compare(on_adamw(100, make).step, on_adamw(100, cosine).step)
        rows.append(row(measured, "a built-in", 100, None, **figures))
    return rows


def rows_of_views() -> list[dict[str, Any]]:
    """ExponentialLR through proxies that check less or work differently."""
    exponential = TORCH_SCHEDULERS["ExponentialLR"]
    rows = []
    for against, variants in (
        ("ExponentialLR, bare view", BARE_VIEWS),
        ("ExponentialLR, other view", OTHER_VIEWS),
    ):
        for measured, make in variants.items():
            figures = compare(on_adamw(1000, make).step, on_adamw(1000, exponential).step)
            rows.append(row(measured, against, 1000, None, **figures))
    return rows


def microseconds_of_parts() -> dict[str, float]:
    """The time of each part of a step, in microseconds."""
    schedule = on_adamw(1, cosine)
    proxy = tsa_core.ProxyOptimizer(adamw(1), "weight_decay")
    view, group = proxy.param_groups[0], adamw(1).param_groups[0]

    # torch calls the hook after each step. The step itself varies by more than the hook takes.
    counted = adamw(1, torch.optim.SGD)
    tsa.OptimizerSteps(counted)
    (hook,) = counted._optimizer_step_post_hooks.values()
    scope = {
        "curve": schedule.curve,
        "view": view,
        "group": group,
        "hook": hook,
        "optimizer": counted,
    }

    def repeated(body: str) -> Callable[[], None]:
        """A function that runs ``body`` 100 times."""
        made: dict[str, Any] = dict(scope)
        exec(f"def run():\n for _ in range(100):\n  {body}", made)
        return made["run"]

    empty = repeated("pass")
    return {
        part: round((compare(repeated(body), empty)["us"] - compare(empty, empty)["us"]) / 100, 4)
        for part, body in {
            "the curve": "curve(500)",
            "reading a dict": "group['weight_decay']",
            "reading a view": "view['lr']",
            "writing a dict": "group['weight_decay'] = 0.5",
            "writing a view": "view['lr'] = 0.5",
            "OptimizerSteps, after a step of the optimizer": "hook(optimizer, (), {})",
        }.items()
    }


def milliseconds_of_import() -> float:
    """The time that the import takes after torch's, in new processes with compiled bytecode."""
    code = (
        "import time, torch; start = time.process_time(); import torch_schedule_anything; "
        "print(time.process_time() - start)"
    )
    runs = [
        float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
        for _ in range(12)
    ]
    return round(median(runs[1:]) * 1e3, 2)  # because the first can have to compile the bytecode


def seconds_of_preview() -> float:
    """The time of a preview of 100,000 steps of a built-in on two groups."""
    schedule = on_adamw(2, cosine)
    times = []
    for _ in range(5):
        start = time.process_time()
        tsa.preview(schedule, 100_000)
        times.append(time.process_time() - start)
    return round(median(times), 3)


def bytes_per_group(make: Callable[[Any], Any], cls: Any = torch.optim.AdamW) -> float:
    """The memory per group that a schedule adds when it is made and stepped."""
    groups = 2000
    # Traced from here on, so that memory which a group's dict frees as it grows is subtracted.
    tracemalloc.start()
    optimizer = adamw(groups, cls)
    optimizer.step()
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    schedule = make(optimizer)
    for _ in range(3):
        optimizer.step()
        schedule.step()
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return round((after - before) / groups, 1)


def memory_row(schedule: str, bytes_kept: float) -> dict[str, Any]:
    bound = 200 if schedule.startswith("a built-in") else None
    holds = None if bound is None else bytes_kept <= bound
    return {"what": schedule, "bytes": bytes_kept, "bound": bound, "holds": holds}


def main(path: Path) -> None:
    milliseconds, seconds = milliseconds_of_import(), seconds_of_preview()
    proxied = functools.partial(
        tsa.arbitrary_schedule_factory,
        schedule_factory=TORCH_SCHEDULERS["LambdaLR"],
        schedule_target="weight_decay",
    )
    sgd = torch.optim.SGD
    kept = {
        "a built-in": bytes_per_group(cosine),
        "a built-in, SGD": bytes_per_group(cosine, sgd),
        "LambdaLR on lr": bytes_per_group(TORCH_SCHEDULERS["LambdaLR"]),
        "LambdaLR on lr, SGD": bytes_per_group(TORCH_SCHEDULERS["LambdaLR"], sgd),
        "LambdaLR on weight_decay": bytes_per_group(proxied),
    }
    result = {
        "machine": machine() | {"torch_schedule_anything": tsa.__version__},
        "import": {"ms": milliseconds, "bound": 8, "holds": milliseconds <= 8},
        "preview": {"s": seconds, "bound": 0.5, "holds": seconds <= 0.5},
        "memory": [memory_row(schedule, bytes_kept) for schedule, bytes_kept in kept.items()],
        "parts_us": microseconds_of_parts(),
        "steps": all_rows(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
