"""torch's schedulers as data: their settings, schedulers made from them, and back."""

from __future__ import annotations

import copy
import inspect
import math
from typing import Any

import pytest
from cases import some
from helpers import held, ignore_epoch_deprecation, sgd
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler as torch_lr
from torch_schedulers import (
    MOMENTUM_CYCLES,
    SCHEDULERS,
    each_scheduler,
    ignore_order_when_nested,
    step,
)

from tsa_core import torch_schedulers

pytestmark = ignore_epoch_deprecation

FORMS = torch_schedulers()
NOT_SETTINGS = {"self", "optimizer", "last_epoch", "verbose"}
WITH_FUNCTIONS = {"LambdaLR", "MultiplicativeLR"}


def make_optimizer(momentum: float = 0.0) -> Any:
    return sgd({"lr": 0.1}, {"lr": 0.3}, momentum=momentum)


def values_along(optimizer: Any, scheduler: Any, steps: int) -> list[Any]:
    values = []
    for t in range(steps):
        values.append((held(optimizer), held(optimizer, "momentum")))
        optimizer.step()
        step(scheduler, loss=math.sin(t))
    return values


def made_again(scheduler: Any, optimizer: Any) -> Any:
    form = FORMS[type(scheduler).__name__]
    settings = form.settings_of(scheduler)
    if "schedulers" in settings:
        settings["schedulers"] = [made_again(part, optimizer) for part in settings["schedulers"]]
    return form.make(optimizer, settings)


@ignore_order_when_nested
def test_every_scheduler_of_torch_is_tested_and_has_its_settings() -> None:
    """Each scheduler is there, with every argument of its constructor and what it demands."""
    # LRScheduler is the base class, and SWALR is in torch.optim.swa_utils, beside the averages.
    of_torch = {*torch_lr.__all__} - {"LRScheduler"} | {"SWALR"}
    tested = {type(make(make_optimizer())).__name__ for make in SCHEDULERS.values()}
    assert FORMS.keys() == tested == of_torch
    for name, form in FORMS.items():
        parameters = inspect.signature(form.scheduler_class.__init__).parameters
        assert form.scheduler_class.__name__ == name
        assert list(form.settings) == [each for each in parameters if each not in NOT_SETTINGS]
        for setting, described in form.settings.items():
            default = parameters[setting].default
            assert described.required == (default is inspect.Parameter.empty)
            assert described.may_be_none == (default is None)
            assert (described.kind == "flag") == isinstance(default, bool)
            assert (described.kind == "word") == isinstance(default, str)
            assert default in described.words or not isinstance(default, str)


MAKERS = {
    **{name: each for name, each in SCHEDULERS.items() if name.split(",")[0] not in WITH_FUNCTIONS},
    **{f"{name} of the momentum too": each for name, each in MOMENTUM_CYCLES.items()},
}


@each_scheduler(MAKERS)
def test_the_settings_make_the_same_scheduler(name: str) -> None:
    """Another scheduler of the same settings has the same values, and settings are not progress."""
    optimizer, other = make_optimizer(momentum=0.7), make_optimizer(momentum=0.7)
    scheduler = MAKERS[name](optimizer)
    settings_of = FORMS[type(scheduler).__name__].settings_of
    before, again = copy.copy(settings_of(scheduler)), made_again(scheduler, other)
    steps = 60 if name in SCHEDULERS else 15
    assert values_along(other, again, steps) == values_along(optimizer, scheduler, steps)
    assert settings_of(scheduler) == before


def test_a_function_is_returned_as_it_is() -> None:
    """The functions of a LambdaLR, and a scale function of a CyclicLR, are not data."""

    def scale(x: float) -> float:
        return 0.5**x

    optimizer = make_optimizer()
    lambdas = torch_lr.LambdaLR(optimizer, scale)
    assert FORMS["LambdaLR"].settings_of(lambdas) == {"lr_lambda": [scale, scale]}
    cyclic = torch_lr.CyclicLR(optimizer, 0.1, 0.2, scale_fn=scale, cycle_momentum=False)
    assert FORMS["CyclicLR"].settings_of(cyclic)["scale_fn"] is scale


NUMBERS = st.floats(1e-3, 1e3)


@given(
    st.fixed_dictionaries(
        {
            "max_lr": st.lists(NUMBERS, min_size=2, max_size=2),
            "total_steps": st.integers(200, 10**6),
            "pct_start": st.floats(0.01, 0.45),
            "cycle_momentum": st.just(False),
            "div_factor": NUMBERS,
            "final_div_factor": NUMBERS,
            "three_phase": st.booleans(),
        }
    )
)
def test_the_numbers_of_a_one_cycle_are_recovered(settings: dict[str, Any]) -> None:
    """A OneCycleLR keeps quotients; the settings give the same quotients to the last bit."""
    optimizer, other = make_optimizer(), make_optimizer()
    form = FORMS["OneCycleLR"]
    one = form.make(optimizer, settings)
    again = form.make(other, form.settings_of(one))
    assert again._schedule_phases == one._schedule_phases
    for key in ("initial_lr", "max_lr", "min_lr"):
        assert held(other, key) == held(optimizer, key)


@given(up=NUMBERS | st.integers(1, 10**6), down=NUMBERS | st.integers(1, 10**6))
def test_the_sizes_of_a_cycle_are_recovered(up: float, down: float) -> None:
    """A CyclicLR keeps the size of a cycle and a share; the settings give the same two."""
    form, settings = FORMS["CyclicLR"], {"base_lr": 0.1, "max_lr": 1.0, "cycle_momentum": False}
    one = form.make(make_optimizer(), {**settings, "step_size_up": up, "step_size_down": down})
    again = form.make(make_optimizer(), form.settings_of(one))
    assert (again.total_size, again.step_ratio) == (one.total_size, one.step_ratio)


@pytest.mark.parametrize("few_digits", some([3.0, 7.0, 25.0, 0.3, 1e4, 12.5]))
def test_a_number_of_few_digits_is_recovered_as_it_was_written(few_digits: float) -> None:
    """The settings are the numbers that a user wrote, and not their neighbours."""
    settings = {"max_lr": 0.7, "total_steps": 30, "cycle_momentum": False}
    form = FORMS["OneCycleLR"]
    one = form.make(make_optimizer(), {**settings, "div_factor": few_digits, "pct_start": 0.7})
    read = form.settings_of(one)
    assert (read["div_factor"], read["pct_start"]) == (few_digits, 0.7)
    assert read["max_lr"] == 0.7
