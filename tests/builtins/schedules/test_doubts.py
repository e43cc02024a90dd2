"""Built-ins warn of arguments that were probably meant otherwise, and take them as they are."""

from __future__ import annotations

import re
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from cases import crossed, some
from closed_forms import ANNEALING, NAMES, Plan, arguments, build, closed_form
from small_runs import Untouched, adamw, held

import tsa_builtins
import tsa_core

WITH_WARMUP = tuple(name for name in NAMES if "num_warmup_steps" in arguments(name, Plan()))


def optimizer() -> Any:
    """Two groups with a float, a float32 tensor, an element of a tuple, and a shared tensor."""
    shared = torch.tensor(0.05)
    return adamw(
        *(
            {"lr": x, "tensor": torch.tensor(x), "coefficients": (x, 0.999), "shared": shared}
            for x in (0.25, 0.001)
        )
    )


# The target, the plan, and what a warning says, or what each of two says.
Doubtful = tuple[str, Plan, list[str]]


def multiple(target: str, W: Any, product: str) -> Doubtful:
    says = f"(warmup_to_|)value={float(W)!r} is the initial value of '{re.escape(target)}', and "
    return target, Plan(W=W), [f"{says}.* which gives {product}. .*absolute=True"]


def steps(parameter: str, plan: Plan, number: str) -> Doubtful:
    says = f"{parameter}={number} is less than one step.* not a fraction of the run.*"
    return "lr", plan, [rf"{says}{parameter}={number} \* num_training_steps;"]


MEANT_AS_VALUES = [
    multiple("lr", 0.001, "1e-06"),
    multiple("lr", 0.25, "0.0625"),  # the first group's
    multiple("lr", np.float64(0.001), "1e-06"),
    multiple("tensor", 0.001, "1e-06"),  # which holds 0.0010000000475
    multiple("coefficients[0]", 0.001, "1e-06"),
    multiple("shared", 0.05, "0.0025"),
    multiple("weight_decay", 0.01, "0.0001"),  # the optimizer's default
]
MEANT_AS_FRACTIONS = [
    steps("num_warmup_steps", Plan(L=L), repr(float(L)))
    for L in (0.1, 0.999, 1e-9, np.float64(0.06))
]
BOTH = ("lr", Plan(W=0.001, L=0.1), ["num_warmup_steps=0.1 ", "(warmup_to_|)value=0.001 "])


@pytest.mark.parametrize(
    ("name", "doubtful"),
    [
        *crossed(NAMES, MEANT_AS_VALUES),
        *crossed(WITH_WARMUP, MEANT_AS_FRACTIONS),
        *crossed(some(WITH_WARMUP), [BOTH]),
        ("warmup_stable_decay", steps("num_decay_steps", Plan(L=11.75), "0.125")),
    ],
)
def test_a_doubt_is_a_warning_that_says_what_to_write(
    name: str, doubtful: Doubtful, untouched: Untouched
) -> None:
    """It points at the user's line and changes no value. As an error, it leaves all untouched."""
    (target, plan, says), opt = doubtful, optimizer()
    make, given = getattr(tsa_builtins, name), arguments(name, plan)
    λ = closed_form(name, plan, 4)
    expected = pytest.approx([float(value) * λ for value in held(opt, target)])

    def call() -> Any:
        return make(opt, **given, schedule_target=target)

    with pytest.warns(UserWarning, match=f"^{name}: ") as caught:
        assert call().values_at(4) == expected
    line = call.__code__.co_firstlineno + 1
    assert [(each.filename, each.lineno) for each in caught] == [(__file__, line)] * len(says)
    for each, text in zip(caught, says):
        assert re.search(f"^{name}: {text}.*ignore this warning$", str(each.message))
    opt = optimizer()
    warnings.simplefilter("error")  # pytest puts the filters back after each test
    with untouched(opt), pytest.raises(UserWarning, match=f"^{name}: {says[0]}"):
        call()
    assert not opt._optimizer_step_pre_hooks


@pytest.mark.parametrize("name", NAMES)
def test_other_numbers_do_not_warn(name: str) -> None:
    """Nothing else is doubted, nor a value, nor a fraction where the run is at most 1 long."""
    for first_lr, W in ((1.0, 1.0), (1.0, 1), (0.0, 0.0), (0.1, 0.101)):
        build(name, adamw({"lr": first_lr}, {"lr": 0.001}), Plan(W=W))
    build(name, adamw({"scale": 0.1}, {"scale": 0.001}), Plan(W=-0.1), "scale")
    build(name, adamw({"lr": 0.1}), Plan(W=0.1), absolute=True)
    for L in (0, 0.0, 1, 1.0, 1.5):
        build(name, optimizer(), Plan(L=L))
    if name in ANNEALING:
        for M in (1, 1.0, 0.5):
            build(name, optimizer(), Plan(L=0.1, M=M))


# -- which initial values a multiple is compared with ----------------------------------------------


@pytest.mark.parametrize("name", some(NAMES))
def test_the_recorded_initial_value_of_the_real_target_counts(name: str) -> None:
    """A built-in that is built again looks at the initial value, and through a proxy."""
    opt = optimizer()
    tsa_builtins.constant_schedule(opt, 0.5)
    build(name, opt, Plan(W=0.125))
    with pytest.warns(UserWarning, match="which gives 0.0625"):
        build(name, opt, Plan(W=0.25))
    with pytest.warns(UserWarning, match="initial value of 'weight_decay'") as caught:
        tsa_core.arbitrary_schedule_factory(
            opt, lambda proxy: build(name, proxy, Plan(W=0.01)), schedule_target="weight_decay"
        )
    assert len(caught) == 1
    tsa_builtins.constant_schedule(tsa_core.ProxyOptimizer(opt, "weight_decay"), 0.001)


@pytest.mark.parametrize(
    ("group", "initial"),
    [
        ({"noise": 5.0}, 5.0),
        ({"noise": 0.25, "schedule_namespaces": {"noise": {"initial_lr": 0.5}}}, 0.5),
    ],
)
def test_groups_that_are_not_like_torchs_are_looked_at(group: Any, initial: float) -> None:
    """A group may be without parameters, and have its initial value where version 1 kept it."""
    opt = SimpleNamespace(param_groups=[group])
    with pytest.warns(UserWarning, match=f"value={initial} is the initial value of 'noise'"):
        tsa_builtins.constant_schedule(opt, initial, "noise")
    assert held(opt, "noise") == [initial * initial]
