"""``arbitrary_schedule_factory`` returns the scheduler as it is, and a refusal leaves no trace.

``test_torch_schedulers.py`` has the values that torch's schedulers give through it.
"""

from __future__ import annotations

import inspect
import math
import re
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from cases import some
from helpers import INVALID_VALUES, Untouched, across, adamw, advance, held, put_curve, same, sgd
from target_helpers import without_params
from torch.optim.lr_scheduler import CosineAnnealingLR, CyclicLR, ExponentialLR, LambdaLR, StepLR
from torch.optim.swa_utils import SWALR

from tsa_core import ProxyOptimizer, arbitrary_schedule_factory


def exponential(proxy: Any) -> Any:
    return ExponentialLR(proxy, 0.5)


def optimizer_with_one_clip() -> Any:
    return adamw({"lr": torch.tensor(0.25)}, {"lr": 0.5, "clip": 2.0}, foreach=False)


TARGETS_AND_DEFAULTS = [
    ("clip", 3.0),  # the default adds the entry where it is missing
    ("weight_decay", None),
    ("weight_decay", 3.0),  # the entry is in every group, so the default is not used
    ("lr", None),  # a tensor in one group
    ("betas[0]", None),
]


def test_the_arguments_keep_their_positions_and_defaults() -> None:
    parameters = inspect.signature(arbitrary_schedule_factory).parameters
    assert [*parameters] == ["optimizer", "schedule_factory", "default_value", "schedule_target"]
    defaults = [parameter.default for parameter in parameters.values()]
    assert defaults == [*[inspect.Parameter.empty] * 2, None, "lr"]


def test_the_scheduler_comes_back_as_it_is() -> None:
    made = []

    def factory(proxy: ProxyOptimizer) -> StepLR:
        made.append(StepLR(proxy, 1))
        assert made[0].optimizer is proxy
        return made[0]

    opt = adamw()
    schedule: Any = arbitrary_schedule_factory(opt, factory, schedule_target="weight_decay")
    assert made == [schedule]
    assert type(schedule.optimizer) is ProxyOptimizer
    assert schedule.optimizer.schedule_target == "weight_decay"
    assert schedule.optimizer.optimizer is opt


def test_a_default_is_added_where_the_entry_is_missing_and_nowhere_else() -> None:
    """A group that has the entry keeps its own value, and the schedule starts from that value."""
    opt = optimizer_with_one_clip()
    schedule = arbitrary_schedule_factory(opt, exponential, -3.0, "clip")
    assert held(opt, "clip") == [-3.0, 2.0]
    advance(schedule)
    assert held(opt, "clip") == [-1.5, 1.0]


class FactoryError(Exception):
    """An error that only these factories raise."""


def raising(error: BaseException, after: Any = same) -> Any:
    """A factory that raises ``error`` after it has done something with the proxy."""

    def factory(proxy: Any) -> Any:
        after(proxy)
        raise error

    return factory


def write(proxy: Any) -> None:
    for group in proxy.param_groups:
        for key in ("lr", "initial_lr", "max_lr"):
            group[key] = 0.75


def shown(value: Any) -> str:
    return "schedule_factory: .* got " + re.escape(repr(value)[:9])


NOT_FACTORIES = [None, 0.5, math.nan, True, "StepLR", [exponential], ExponentialLR(sgd(), 0.5)]
NOT_SCHEDULERS = [None, 0.5, ExponentialLR, [exponential], SimpleNamespace(optimizer=None)]
RAISES_AFTER_WRITING = (raising(FactoryError("mine"), write), FactoryError, "mine")
FACTORIES: list[tuple[Any, type[BaseException], str]] = [
    *((each, TypeError, shown(each)) for each in NOT_FACTORIES),
    *((lambda proxy, each=each: each, TypeError, shown(each)) for each in NOT_SCHEDULERS),
    (same, TypeError, "schedule_factory: "),  # returns the proxy
    (lambda proxy: exponential(sgd()), ValueError, "schedule_factory: .*SGD"),
    (
        lambda proxy: exponential(ProxyOptimizer(proxy.optimizer, proxy.schedule_target)),
        ValueError,
        "schedule_factory: ",
    ),
    (lambda: None, TypeError, "positional argument"),
    (lambda proxy, gamma: None, TypeError, "positional argument"),
    (raising(FactoryError("mine")), FactoryError, "mine"),
    (raising(FactoryError("mine"), exponential), FactoryError, "mine"),
    RAISES_AFTER_WRITING,
    (raising(KeyboardInterrupt("by hand"), exponential), KeyboardInterrupt, "by hand"),
    (lambda proxy: LambdaLR(proxy, lambda t: math.nan), ValueError, "nan is not finite"),
]


@across(failing=FACTORIES, target_and_default=TARGETS_AND_DEFAULTS)
def test_a_factory_that_fails_leaves_no_trace(
    failing: Any, target_and_default: tuple[str, float | None], untouched: Untouched
) -> None:
    """Its error comes through, no group changes, and a next call is as the first one.

    That adds "initial_<target>", and the entry where it was missing, but no other key.
    """
    target, default = target_and_default
    opt, fresh = optimizer_with_one_clip(), optimizer_with_one_clip()
    for factory, error, says in (failing, RAISES_AFTER_WRITING):
        with untouched(opt), pytest.raises(error, match=says):
            arbitrary_schedule_factory(opt, factory, default, target)
    added = {f"initial_{target}"} | ({"clip"} if target == "clip" else set())
    keys = [{*group} | added for group in fresh.param_groups]
    for each in (opt, fresh):
        advance(arbitrary_schedule_factory(each, exponential, default, target))
        assert [{*group} for group in each.param_groups] == keys
    assert without_params(opt) == without_params(fresh)


def test_an_earlier_schedule_goes_on_after_a_failed_call() -> None:
    """A tensor that defaults and groups share is still one object, and holds its value."""
    shared = torch.tensor(0.5)
    opt = sgd(lr=shared)
    with pytest.raises(FactoryError):
        arbitrary_schedule_factory(opt, RAISES_AFTER_WRITING[0])
    assert opt.defaults["lr"] is opt.param_groups[0]["lr"] is shared
    schedule = put_curve(opt)
    advance(schedule)
    for factory, error, _ in (RAISES_AFTER_WRITING, (lambda proxy: None, TypeError, "")):
        with pytest.raises(error):
            arbitrary_schedule_factory(opt, factory)
    schedule.step()
    assert [value.item() for value in schedule.get_last_lr()] == [0.125]


@across(name=[*some(INVALID_VALUES, 6), "a target"], target=["clip", "weight_decay", "nowhere"])
def test_a_default_that_is_not_a_finite_real_number_is_refused(
    name: str, target: str, untouched: Untouched
) -> None:
    """Also if the entry is there; a target in its place is shown with the keyword for it."""
    value, error = INVALID_VALUES.get(name, ("eps", TypeError))
    says = "^default_value: .*" + "write schedule_target='eps'" * (name == "a target")
    opt = optimizer_with_one_clip()
    with untouched(opt), pytest.raises(error, match=says):
        arbitrary_schedule_factory(opt, exponential, value, target)


@pytest.mark.parametrize(("target", "default"), [("momentum", None), ("clip", 0.0)])
def test_a_target_that_is_0_everywhere_warns(target: str, default: float | None) -> None:
    """A multiplier cannot move an initial value of 0, whether it was there or is a default."""
    with pytest.warns(UserWarning, match=f"'{target}' starts at 0 in every param group"):
        arbitrary_schedule_factory(sgd(), exponential, default, target)


@pytest.mark.parametrize(
    "make",
    [
        lambda o: CyclicLR(o, 0.0, 0.5, 2, cycle_momentum=False),
        lambda o: CosineAnnealingLR(o, 3, eta_min=0.5),
        lambda o: SWALR(o, 0.5, anneal_epochs=3),
    ],
)
def test_a_scheduler_that_is_given_values_moves_a_0(make: Any) -> None:
    """It does not warn, because its settings are values and not multiples."""
    optimizer = sgd({"momentum": 0.0})
    schedule = arbitrary_schedule_factory(optimizer, make, schedule_target="momentum")
    advance(schedule, 2)
    assert held(optimizer, "momentum")[0] > 0.1
