"""A user's program for type checkers: it uses every public name, and is never run.

``mypy --strict`` and ``pyright`` must find no error in it, and must infer the asserted types.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import torch
from torch.nn import Parameter
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    CosineAnnealingLR,
    ExponentialLR,
    LRScheduler,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)
from torch.optim.swa_utils import SWALR
from typing_extensions import assert_type

import torch_schedule_anything as tsa
import tsa_core
from torch_schedule_anything import curves

model = torch.nn.Linear(4, 1)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.01)

assert_type(tsa.__version__, str)

# -- built-ins --------------------------------------------------------------------------------

cosine = tsa.cosine_annealing_with_warmup(optimizer, 1.0, 0.1, 10, 100)
built_ins = [
    cosine,
    tsa.cosine_annealing_with_inverse_warmup(
        optimizer, 1, 0, 0.06 * 1000, 1000, warmup_multiplier=5, schedule_target="betas[0]"
    ),
    tsa.polynomial_schedule_with_warmup(optimizer, 1.0, 0.1, 10, 100, 3.0, "weight_decay"),
    tsa.polynomial_schedule_with_inverse_warmup(optimizer, 1.0, 0.1, 10, 100, 3.0, 5.0, "eps"),
    tsa.linear_schedule_with_warmup(
        optimizer, warmup_to_value=1, anneal_to_value=0, num_warmup_steps=1, num_training_steps=9
    ),
    tsa.linear_schedule_with_inverse_warmup(optimizer, 1, 0, 10, 100),
    tsa.quadratic_schedule_with_warmup(optimizer, 1, 0, 10, 100),
    tsa.quadratic_schedule_with_inverse_warmup(optimizer, 1, 0, 10, 100),
    tsa.sqrt_schedule_with_warmup(optimizer, 1, 0, 10, 100, "lr"),
    tsa.sqrt_schedule_with_inverse_warmup(optimizer, 1, 0, 10, 100, 5),
    tsa.constant_with_warmup(optimizer, 1.0, 10),
    tsa.constant_with_inverse_warmup(optimizer, 1.0, 10, 5.0),
    tsa.constant_schedule(optimizer, 1.0, "weight_decay"),
    tsa.half_cosine_annealing_with_warmup(optimizer, 1, 0, 10, 100, skip_zero=True),
    tsa.warmup_stable_decay(optimizer, 1, 0, 10, 20, 100, decay=("Polynomial", 2.0)),
    tsa.warmup_stable_decay(optimizer, 1, 0, 10, 20, 100, "lr", decay="Cosine"),
    tsa.inverse_sqrt_with_warmup(optimizer, 1, 10),
]
assert_type(built_ins, list[tsa.CurveSchedule])

# -- curves, and a CurveSchedule on any callable ----------------------------------------------

line = curves.Linear(0.0, 1.0, 10)
assert_type(line, curves.Linear)
joined = tsa.curves.join(
    [line, curves.QuarterCosine(1.0, 0.1, 90), curves.Polynomial(0.1, 0.0, 10, 2.0), math.cos],
    [10, 100, 110.5],
)
combined = [
    joined,
    1 - line + 0.1 * joined - math.cos,
    -line,
    math.cos - line,
    curves.switch({0: line, 100: math.cos, 200.5: joined}),
    curves.staircase(joined, 391),
]
assert_type(combined, list[curves.Curve])
points = curves.Piecewise(
    {0: 0, 500: 1, 10_000: (0, "OneMinusSqrt"), 12_000: (1, "Polynomial", 2.0)}
)
constant, warmup = curves.Constant(0.5), curves.Warmup(100, skip_zero=True)
numbers = [line.steps, line(5), joined(50), points(250), constant(5), warmup(5)]
assert_type(numbers, list[float])
curves.Piecewise([(0, 0), (2.5, (1, "Cosine"))])
curves.Piecewise({0: 0.5, 4: 1})
curves.PiecewiseConstant({0: 0.5, 4: 1})


class UserCurve:
    """A user's class whose instances are curves, because they can be called with a step."""

    def __call__(self, t: float) -> float:
        return 1 / (1 + t)


def wave(t: float) -> float:
    return math.cos(t)


schedule = tsa.CurveSchedule(optimizer, joined, "weight_decay")
tsa.CurveSchedule(optimizer, {"decay": wave, "*": None}, "weight_decay")
tsa.CurveSchedule(optimizer, [UserCurve(), wave, lambda t: 0.5**t, None])
schedule_as_lr_scheduler: LRScheduler = schedule
assert_type(schedule.step(), None)
assert_type(schedule.step(3), None)
assert_type(schedule.get_last_lr(), list[float | torch.Tensor])
assert_type(schedule.base_lrs, list[float | None])
assert_type(schedule.last_epoch, int)
assert_type(schedule.schedule_target, str)
assert_type(schedule.state_dict(), dict[str, Any])
schedule.load_state_dict(schedule.state_dict())

# -- schedulers from a factory keep their type ------------------------------------------------

step_lr = tsa.arbitrary_schedule_factory(
    optimizer=optimizer, schedule_factory=lambda proxy: StepLR(proxy, 10), schedule_target="eps"
)
assert_type(step_lr, StepLR)
plateau = tsa.arbitrary_schedule_factory(optimizer, ReduceLROnPlateau, torch.tensor(1.0), "clip")
assert_type(plateau, ReduceLROnPlateau)
swa = tsa.arbitrary_schedule_factory(optimizer, lambda o: SWALR(o, 0.05), default_value=1.0)
assert_type(swa, SWALR)


def compound(proxy: tsa_core.ProxyOptimizer) -> SequentialLR:
    first = tsa.linear_schedule_with_warmup(proxy, 1.0, 0.5, 10, 100)
    return SequentialLR(proxy, [first, CosineAnnealingLR(proxy, 100)], milestones=[100])


def chained(any_optimizer: torch.optim.Optimizer) -> ChainedScheduler:
    return ChainedScheduler([ExponentialLR(any_optimizer, 0.9)])


assert_type(tsa.arbitrary_schedule_factory(optimizer, compound), SequentialLR)
assert_type(tsa.arbitrary_schedule_factory(optimizer, chained), ChainedScheduler)

proxy = tsa_core.ProxyOptimizer(optimizer, "weight_decay")
proxy_as_optimizer: torch.optim.Optimizer = proxy
assert_type(proxy.schedule_target, str)
assert_type(proxy.param_groups, list[dict[str, Any]])

# -- several schedules in lock-step -----------------------------------------------------------

sync = tsa.SynchronousSchedule([cosine, schedule, step_lr, plateau, StepLR(optimizer, 10)])
nested = tsa.SynchronousSchedule(iter([sync]))
sync_as_lr_scheduler: LRScheduler = sync
sync.step()
sync.step(metrics=0.5)
assert_type(sync.schedule_names, list[str])
assert_type(sync.schedules, Mapping[str, Any])
last_values = [sync.get_last_schedule("weight_decay"), sync.get_last_lr()]
assert_type(last_values, list[list[float | torch.Tensor]])
assert_type(sync.get_last_schedules(), dict[str, list[float | torch.Tensor]])
assert_type(sync.last_epoch, int)
assert_type(sync.state_dict(), dict[str, Any])
sync.load_state_dict(sync.state_dict())
sync.load_state_dict(sync.state_dict(), plan="saved")
assert_type(sync.get_last_scalars(), dict[str, float])

# -- several optimizers, derived targets, clocks, replanning ------------------------------------

derived = tsa.DerivedSchedule(optimizer, lambda lr: lr, "weight_decay", of="lr", absolute=False)
clock = tsa.OptimizerSteps(optimizer)
assert_type(clock(), int)
several = tsa.SynchronousSchedule({"first": [cosine, derived], "second": [step_lr]})
assert_type(several.optimizers, Mapping[str, Any])
clocked = tsa.SynchronousSchedule([cosine, derived], clock=clock)
of_each = tsa.SynchronousSchedule([cosine, step_lr], clock={"lr": clock, "betas[0]": lambda: 3.5})
assert_type(clocked.values_at(10**11), dict[str, list[float]])
absolute = tsa.constant_schedule(optimizer, 1e-3, absolute=True)
assert_type(absolute.absolute, bool)
assert_type(absolute.values_at(10), list[float])
absolute.replan(tsa.curves.stretch(tsa.curves.Cosine(1e-3, 0.0, 10), 100))
absolute.load_state_dict(absolute.state_dict(), plan="same")
tsa_core.register_curves(tsa.curves.to_dict, tsa.curves.from_dict)

# -- plans ------------------------------------------------------------------------------------

plan: tsa.Plan = {"lr": {"curve": {"kind": "Linear", "start": 1, "end": 0, "steps": 100}}}
assert_type(tsa.from_plan(optimizer, plan), tsa.SynchronousSchedule)
assert_type(tsa.from_plan({"muon": optimizer}, plan, stretch=391), tsa.SynchronousSchedule)
assert_type(tsa.to_plan(sync), dict[str, dict[str, Any]])
again: tsa.Plan = tsa.to_plan(schedule)
form = tsa_core.torch_schedulers()["StepLR"]
assert_type(form, tsa_core.SchedulerForm)
assert_type(form.settings_of(step_lr), dict[str, Any])
assert_type(form.settings["gamma"].required, bool)

# -- preview ----------------------------------------------------------------------------------

preview = tsa.preview(sync, 100, metrics=0.5)
assert_type(preview, tsa.Preview)
assert_type(tsa.preview(sync, positions=[0, 10**11], unit="tokens").unit, str | None)
assert_type(preview.steps, Sequence[float])
assert_type(preview.values, dict[str, list[list[float]]])
assert_type(preview.boundaries, dict[str, tuple[float, ...]])

# -- extended optimizers, and wrappers that are not torch optimizers --------------------------

assert_type(tsa.extend_optimizer(optimizer, "clip", 10.0), torch.optim.AdamW)
assert_type(tsa.extend_optimizer(optimizer, "clip", torch.tensor(1.0), True), torch.optim.AdamW)
for value, params, group in tsa.get_param_groups_regrouped_by_key(optimizer, "clip"):
    assert_type(params, list[Parameter])
    assert_type(group, dict[str, Any])
    torch.nn.utils.clip_grad_norm_(params, value)


class Wrapper:
    """An optimizer wrapper of a framework, which has only ``param_groups``."""

    @property
    def param_groups(self) -> Sequence[MutableMapping[str, Any]]:
        return optimizer.param_groups


wrapper = Wrapper()
wrapper_as_optimizer_like: tsa_core.OptimizerLike = wrapper
assert_type(tsa.extend_optimizer(wrapper, "clip", 10.0), Wrapper)
assert_type(tsa.constant_schedule(wrapper, 0.5), tsa.CurveSchedule)
assert_type(tsa.arbitrary_schedule_factory(wrapper, lambda proxy: StepLR(proxy, 10)), StepLR)

dropouts = tsa.attributes([torch.nn.Dropout(0.5)], "p", group_names=["body"])
assert_type(dropouts, tsa_core.OptimizerLike)
tsa.CurveSchedule(dropouts, wave, "p")
tsa.DerivedSchedule(tsa.attributes({"a": 1.0, "b": 2.0}, "a", "b"), wave, "a", of="b")
on_p = tsa.arbitrary_schedule_factory(dropouts, lambda o: StepLR(o, 10), schedule_target="p")
assert_type(on_p, StepLR)
assert_type(tsa.from_plan({"dropout": dropouts}, plan), tsa.SynchronousSchedule)

# -- calls that must not type-check: an ignore that is not needed is an error -----------------

tsa.constant_schedule(model, 0.5)  # type: ignore[arg-type]
tsa.constant_schedule(optimizer, "0.5")  # type: ignore[arg-type]
tsa.constant_schedule(optimizer, 0.5, ("betas", 0))  # type: ignore[arg-type]
tsa.arbitrary_schedule_factory(optimizer, StepLR(optimizer, 10))  # type: ignore[arg-type]
tsa.extend_optimizer(optimizer, "clip", None)  # type: ignore[arg-type]
tsa.CurveSchedule(optimizer, 0.5)  # type: ignore[arg-type]
tsa.from_plan(optimizer, "plan.yaml")  # type: ignore[arg-type]
tsa.attributes(model, 1)  # type: ignore[arg-type]
absolute.load_state_dict({}, plan="other")  # type: ignore[arg-type]
tsa.SynchronousSchedule([cosine], clock={"lr": 3})  # type: ignore[dict-item]
tsa.preview(sync, positions=3)  # type: ignore[arg-type]
tsa.ProxyOptimizer(optimizer, "weight_decay")  # type: ignore[attr-defined]
tsa.TYPE_CHECKING  # type: ignore[attr-defined]
tsa.tsa_core  # type: ignore[attr-defined]
