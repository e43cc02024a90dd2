"""The plan of tests of frameworks and of several processes: each target has a formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim.lr_scheduler import ExponentialLR

import torch_schedule_anything as tsa

STEPS = 24
WARMUP = 4
SAVED_AT = 8

# The same in tokens: those of each row, of which a run sees every one twice.
LENGTHS = [3, 4, 5, 6, 7, 8] * 4
TOKENS = 2 * sum(LENGTHS)
WARMUP_TOKENS = 50

Values = dict[str, list[float]]  # per target a list with one number per param group
Weights = dict[str, torch.Tensor]
Run = tuple[dict[int, Values], Weights]  # the values before each step, and the weights at the end

INITIAL: dict[str, tuple[float, float]] = {
    "lr": (0.01, 0.02),
    "weight_decay": (0.1, 0.3),
    "betas[0]": (0.9, 0.9),
    "clip": (0.001, 0.004),
}


# -- model, optimizer and plan --------------------------------------------------------------------


def make_model() -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))


def param_groups(first: Iterable[Any], second: Iterable[Any]) -> list[dict[str, Any]]:
    """Two groups with the custom entry ``clip``, for ``clip_gradients``."""
    return [
        {"params": list(params), **{key: INITIAL[key][i] for key in ("lr", "weight_decay", "clip")}}
        for i, params in enumerate((first, second))
    ]


def groups_of(model: Any) -> list[dict[str, Any]]:
    return param_groups(model[0].parameters(), model[2].parameters())


def make_model_and_optimizer() -> tuple[torch.nn.Sequential, torch.optim.AdamW]:
    model = make_model()
    return model, torch.optim.AdamW(groups_of(model))


def lr_schedule(optimizer: Any, calls: int = 1) -> Any:
    return tsa.cosine_annealing_with_warmup(optimizer, 1.0, 0.1, WARMUP * calls, STEPS * calls)


def exponential(optimizer: Any, calls: int = 1) -> Any:
    """A torch scheduler, which takes no clock."""
    return tsa.arbitrary_schedule_factory(
        optimizer, lambda o: ExponentialLR(o, 0.99 ** (1 / calls)), schedule_target="betas[0]"
    )


def make_schedule(
    optimizer: Any, calls: int = 1, lr: Any = None, clock: Any = None
) -> tsa.SynchronousSchedule:
    """The plan, for a loop that steps it ``calls`` times per optimizer step, or with a clock.

    ``lr`` replaces the members of the learning rate.
    """
    members = [
        *([lr_schedule(optimizer, calls)] if lr is None else lr),
        tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.25, 0, STEPS * calls, "weight_decay"),
        tsa.constant_with_inverse_warmup(optimizer, 1.0, 8 * calls, 4.0, "clip"),
    ]
    if clock is None:
        members.append(exponential(optimizer, calls))
    else:
        members.append(tsa.CurveSchedule(optimizer, lambda t: 0.99**t, "betas[0]"))
    return tsa.SynchronousSchedule(members, clock=clock)


def make_schedule_on_steps(optimizer: Any) -> tsa.SynchronousSchedule:
    """The plan with a clock that counts the steps of the optimizer."""
    return make_schedule(optimizer, clock=tsa.OptimizerSteps(optimizer))


def make_schedule_in_tokens(optimizer: Any, clock: Callable[[], float]) -> tsa.SynchronousSchedule:
    return tsa.SynchronousSchedule(
        [
            tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.25, WARMUP_TOKENS, TOKENS),
            tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.0, 0, TOKENS, "weight_decay"),
        ],
        clock=clock,
    )


def choosing(**choices: Any) -> Any:
    """A class of schedules that choose what goes on, because a framework passes no choice."""

    class Choosing(tsa.SynchronousSchedule):
        def load_state_dict(self, state: Any) -> None:  # type: ignore[override]
            super().load_state_dict(state, **choices)

    return Choosing


# -- a step of training ---------------------------------------------------------------------------


def clip_gradients(optimizer: Any) -> None:
    """Clip each group by its ``clip`` entry, so that a wrong value of it changes the weights.

    It clips single numbers, so that processes with parts of a parameter do what one process does.
    """
    for clip, params, _ in tsa.get_param_groups_regrouped_by_key(optimizer, "clip"):
        for parameter in params:
            if parameter.grad is not None:
                parameter.grad.clamp_(-clip, clip)


def values_of(optimizer: Any) -> Values:
    groups = [{**group, "betas[0]": group["betas"][0]} for group in optimizer.param_groups]
    return {target: [group[target] for group in groups] for target in INITIAL}


# -- what is expected -----------------------------------------------------------------------------


def lr_multiple(t: int) -> float:
    if t <= WARMUP:
        return t / WARMUP
    return 0.1 + 0.9 * math.cos(math.pi / 2 * min((t - WARMUP) / (STEPS - WARMUP), 1.0))


def assert_values(values: Values, multiples: dict[str, float]) -> None:
    """Each target of ``multiples`` has that multiple of its initial values."""
    for target, multiple in multiples.items():
        for value, initial in zip(values[target], INITIAL[target], strict=True):
            # Rounding differs: the library multiplies in another order, ExponentialLR t times.
            assert math.isclose(value, initial * multiple, rel_tol=1e-12, abs_tol=1e-15), target


def assert_on_plan(values: Values, t: int, **others: float) -> None:
    """``values`` equal the formulas at step t, except where ``others`` has another multiple."""
    multiples = {
        "lr": lr_multiple(t),
        "weight_decay": 1.0 - 0.75 * min(t / STEPS, 1.0),
        "betas[0]": 0.99**t,
        "clip": max(4.0 - 3.0 * t / 8, 1.0),
    }
    assert values.keys() == multiples.keys()
    assert_values(values, {**multiples, **others})


def assert_on_plan_in_tokens(values: Values, tokens: int) -> None:
    p = (tokens - WARMUP_TOKENS) / (TOKENS - WARMUP_TOKENS)
    multiple = tokens / WARMUP_TOKENS if tokens <= WARMUP_TOKENS else 1 - 0.75 * p
    assert_values(values, {"lr": multiple, "weight_decay": 1 - tokens / TOKENS})


def assert_run_on_plan(
    values_by_step: dict[int, Values], lr: Callable[[int], float] = lr_multiple, start: int = 0
) -> None:
    """The run made every step from ``start`` in order, each under the values of the formulas."""
    assert list(values_by_step) == list(range(start, STEPS))
    for t, values in values_by_step.items():
        assert_on_plan(values, t, lr=lr(t))


def assert_resumed(resumed: Run, whole: Run, start: int = SAVED_AT) -> None:
    """The resumed run has the values of the whole run from ``start`` on, and its weights."""
    (later, weights), (values, expected) = resumed, whole
    assert later == {t: values[t] for t in values if t >= start}
    assert 0 < len(later) < len(values)
    assert_same_weights(weights, expected)


def assert_same_weights(weights: Weights, expected: Weights) -> None:
    torch.testing.assert_close(weights, expected, rtol=0, atol=0)
