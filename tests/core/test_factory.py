"""``arbitrary_schedule_factory``: what it refuses, and that a refusal leaves no trace.

What torch's schedulers do through it is in ``test_torch_schedulers.py``.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import ExponentialLR, StepLR

from tsa_core import CurveSchedule, ProxyOptimizer, arbitrary_schedule_factory

Untouched = Callable[[Any], AbstractContextManager[None]]


def exponential(proxy: Any) -> Any:
    return ExponentialLR(proxy, 0.5)


def optimizer() -> Any:
    """Two groups, tensors among their values, of which the second alone has the entry ``clip``."""
    return torch.optim.AdamW(
        [
            {"params": [torch.nn.Parameter(torch.ones(2))], "lr": torch.tensor(0.25)},
            {"params": [torch.nn.Parameter(torch.ones(2))], "lr": 0.5, "clip": 2.0},
        ],
        foreach=False,
    )


# What is asked for: an entry that a default adds, one that is there, a tensor, an element.
ASKED = [("clip", 3.0), ("weight_decay", None), ("weight_decay", 3.0), ("lr", None)]
ASKED += [("betas[0]", None)]
everything_asked = pytest.mark.parametrize(
    ("target", "default"), ASKED, ids=[f"{t}-{d}" for t, d in ASKED]
)


# -- what it gives back -------------------------------------------------------------------------


def test_arguments_by_position_come_in_the_promised_order() -> None:
    """``(optimizer, schedule_factory, default_value=None, schedule_target="lr")``."""
    parameters = inspect.signature(arbitrary_schedule_factory).parameters.values()
    assert [(parameter.name, parameter.default) for parameter in parameters] == [
        ("optimizer", inspect.Parameter.empty),
        ("schedule_factory", inspect.Parameter.empty),
        ("default_value", None),
        ("schedule_target", "lr"),
    ]


def test_the_scheduler_comes_back_as_it_is() -> None:
    """The very object that the factory made, on the proxy that the factory was given."""
    made = []

    def factory(proxy: ProxyOptimizer) -> StepLR:
        assert isinstance(proxy, ProxyOptimizer)
        assert proxy.schedule_target == "weight_decay"
        made.append((proxy, StepLR(proxy, 1)))
        return made[0][1]

    opt = optimizer()
    schedule = arbitrary_schedule_factory(opt, factory, schedule_target="weight_decay")
    ((proxy, expected),) = made
    assert schedule is expected
    assert schedule.optimizer is proxy
    assert proxy.optimizer is opt


def test_a_default_is_added_where_the_entry_is_missing_and_nowhere_else() -> None:
    """The group that has it keeps its own value, and each schedule starts from its group's."""
    opt = optimizer()
    schedule = arbitrary_schedule_factory(opt, exponential, 3.0, "clip")
    assert [group["clip"] for group in opt.param_groups] == [3.0, 2.0]
    opt.step()
    schedule.step()
    assert [group["clip"] for group in opt.param_groups] == [1.5, 1.0]


@everything_asked
def test_it_adds_the_initial_value_and_nothing_else(target: str, default: float | None) -> None:
    """Beside the entry itself, a group gains "initial_<target>"; torch's own keys stay away."""
    opt = optimizer()
    before = [set(group) for group in opt.param_groups]
    arbitrary_schedule_factory(opt, exponential, default, target)
    added = {f"initial_{target}"} | ({"clip"} if target == "clip" else set())
    assert [set(group) for group in opt.param_groups] == [keys | added for keys in before]


# -- factories that do not do ---------------------------------------------------------------------


class FactoryError(Exception):
    """An error of the user's own."""


def raises(proxy: Any) -> Any:
    raise FactoryError("in the factory")


def raises_after_building(proxy: Any) -> Any:
    ExponentialLR(proxy, 0.5)
    raise FactoryError("in the factory")


def raises_after_writing(proxy: Any) -> Any:
    for group in proxy.param_groups:
        group["lr"] = 17.0
        group["initial_lr"] = 17.0
        group["max_lr"] = 17.0
    raise FactoryError("in the factory")


def interrupts(proxy: Any) -> Any:
    ExponentialLR(proxy, 0.5)
    raise KeyboardInterrupt("by hand")


def on_another_optimizer(proxy: Any) -> Any:
    return ExponentialLR(torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1), 0.5)


def on_another_proxy(proxy: Any) -> Any:
    return ExponentialLR(ProxyOptimizer(proxy.optimizer, proxy.schedule_target), 0.5)


def nan_from_the_start(proxy: Any) -> Any:
    return torch.optim.lr_scheduler.LambdaLR(proxy, lambda t: math.nan)


FACTORIES: dict[str, tuple[Any, type[BaseException], str]] = {
    "None": (None, TypeError, "schedule_factory: .* got None"),
    "returns something without a step": (
        lambda proxy: SimpleNamespace(optimizer=proxy),
        TypeError,
        "schedule_factory: .*namespace",
    ),
    "a number": (0.5, TypeError, "schedule_factory: .* got 0.5"),
    "NaN": (math.nan, TypeError, "schedule_factory: .* got nan"),
    "a bool": (True, TypeError, "schedule_factory: .* got True"),
    "a string": ("StepLR", TypeError, "schedule_factory: .* got 'StepLR'"),
    "a list of factories": ([exponential], TypeError, "schedule_factory: "),
    "a scheduler": (
        on_another_optimizer(None),
        TypeError,
        "schedule_factory: .*ExponentialLR",
    ),
    "returns None": (lambda proxy: None, TypeError, "schedule_factory: .* got None"),
    "returns a number": (lambda proxy: 0.5, TypeError, "schedule_factory: .* got 0.5"),
    "returns the proxy": (lambda proxy: proxy, TypeError, "schedule_factory: "),
    "returns a class": (lambda proxy: ExponentialLR, TypeError, "schedule_factory: "),
    "returns a list": (lambda proxy: [exponential(proxy)], TypeError, "schedule_factory: "),
    "builds on another optimizer": (on_another_optimizer, ValueError, "schedule_factory: .*SGD"),
    "builds on another proxy": (on_another_proxy, ValueError, "schedule_factory: "),
    "takes nothing": (lambda: None, TypeError, "positional argument"),
    "takes too much": (lambda proxy, gamma: None, TypeError, "positional argument"),
    "raises": (raises, FactoryError, "in the factory"),
    "raises after building": (raises_after_building, FactoryError, "in the factory"),
    "raises after writing": (raises_after_writing, FactoryError, "in the factory"),
    "is interrupted": (interrupts, KeyboardInterrupt, "by hand"),
    "writes NaN": (nan_from_the_start, ValueError, "nan is not finite"),
}


@pytest.mark.parametrize(("factory", "error", "said"), FACTORIES.values(), ids=FACTORIES.keys())
@everything_asked
def test_a_factory_that_fails_leaves_no_trace(
    factory: Any,
    error: type[BaseException],
    said: str,
    target: str,
    default: float | None,
    untouched: Untouched,
) -> None:
    """The error comes through, and groups are what they were: keys, values, tensors, order."""
    opt = optimizer()
    with untouched(opt), pytest.raises(error, match=said):
        arbitrary_schedule_factory(opt, factory, default, target)


@everything_asked
def test_after_a_failure_the_next_one_starts_from_the_same_value(
    target: str, default: float | None
) -> None:
    """Nothing of the failed attempt is left that a second one could start from."""
    tried, fresh = optimizer(), optimizer()
    with pytest.raises(FactoryError):
        arbitrary_schedule_factory(tried, raises_after_writing, default, target)
    for opt in (tried, fresh):
        schedule = arbitrary_schedule_factory(opt, exponential, default, target)
        opt.step()
        schedule.step()
    assert [
        {key: value for key, value in group.items() if key != "params"}
        for group in tried.param_groups
    ] == [
        {key: value for key, value in group.items() if key != "params"}
        for group in fresh.param_groups
    ]


@pytest.mark.parametrize(
    ("factory", "error"), [(raises_after_writing, FactoryError), (lambda proxy: None, TypeError)]
)
def test_a_failure_leaves_other_schedules_going(factory: Any, error: type[Exception]) -> None:
    """A schedule of the same target that was there before goes on as if nothing had been tried."""
    opt = optimizer()
    schedule = CurveSchedule(opt, lambda t: 0.5**t)
    opt.step()
    schedule.step()
    with pytest.raises(error):
        arbitrary_schedule_factory(opt, factory)
    schedule.step()
    assert [float(value) for value in schedule.get_last_lr()] == [0.25 * 0.25, 0.5 * 0.25]


# -- other arguments ------------------------------------------------------------------------------

NO_DEFAULTS: dict[str, tuple[Any, type[Exception]]] = {
    "NaN": (math.nan, ValueError),
    "inf": (math.inf, ValueError),
    "-inf": (-math.inf, ValueError),
    "complex": (1j, TypeError),
    "string": ("1.0", TypeError),
    "bool": (True, TypeError),
    "NumPy bool": (np.bool_(True), TypeError),
    "list": ([1.0], TypeError),
    "1-dim tensor": (torch.ones(1), TypeError),
    "integer tensor": (torch.tensor(1), TypeError),
}


@pytest.mark.parametrize(("value", "error"), NO_DEFAULTS.values(), ids=NO_DEFAULTS.keys())
@pytest.mark.parametrize("target", ["clip", "weight_decay", "nowhere"])
def test_a_default_that_is_no_finite_real_number_is_refused(
    value: Any, error: type[Exception], target: str, untouched: Untouched
) -> None:
    """The error begins with the parameter's name, whether the entry is there already or not."""
    opt = optimizer()
    with untouched(opt), pytest.raises(error, match=r"^default_value: "):
        arbitrary_schedule_factory(opt, exponential, value, target)


def test_a_target_that_is_missing_needs_a_default(untouched: Untouched) -> None:
    """Without one, a ``KeyError`` names the group that lacks it and offers ``default_value``."""
    opt = optimizer()
    with untouched(opt), pytest.raises(KeyError, match=r"'clip' is not in param group 0.*default"):
        arbitrary_schedule_factory(opt, exponential, schedule_target="clip")


def test_a_negative_default_is_a_number_like_any_other() -> None:
    """It is added, and scheduled."""
    opt = optimizer()
    arbitrary_schedule_factory(opt, exponential, -1.5, "offset")
    assert [group["offset"] for group in opt.param_groups] == [-1.5, -1.5]


def test_an_initial_value_of_0_everywhere_warns() -> None:
    """As a ``CurveSchedule`` of it does: no multiplier can move it."""
    opt = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
    with pytest.warns(UserWarning, match="'momentum' starts at 0 in every param group"):
        arbitrary_schedule_factory(opt, exponential, schedule_target="momentum")


def test_a_default_of_0_warns() -> None:
    """So does a default that the schedule would multiply in vain."""
    opt = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
    with pytest.warns(UserWarning, match="'clip' starts at 0 in every param group"):
        arbitrary_schedule_factory(opt, exponential, 0.0, "clip")


def test_a_target_in_the_place_of_the_default() -> None:
    """The third argument is the default value; the error says where a name goes."""
    with pytest.raises(TypeError, match="write schedule_target='weight_decay'"):
        arbitrary_schedule_factory(optimizer(), exponential, "weight_decay")  # type: ignore[arg-type]


def test_a_factory_that_fails_leaves_the_defaults() -> None:
    """Also where a tensor in them was about to be set apart from the groups'."""
    shared = torch.tensor(0.5)
    opt = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=shared)

    def fails(proxy: Any) -> Any:
        proxy.param_groups[0]["lr"] = 0.25
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011  # raised above, and nowhere else
        arbitrary_schedule_factory(opt, fails)
    assert opt.defaults["lr"] is opt.param_groups[0]["lr"] is shared
    assert float(shared) == 0.5
