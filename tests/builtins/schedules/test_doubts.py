"""Built-ins warn of arguments that were probably meant otherwise, and take them as they are."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from cases import crossed, some
from closed_forms import ANNEALING, NAMES, Plan, arguments, build, closed_form
from small_runs import Untouched, adamw, every_name

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


def parameter_of(name: str) -> str:
    return "value" if name == "constant_schedule" else "warmup_to_value"


# -- a multiplier that was meant as a value ----------------------------------------------------

MEANT_AS_VALUES: dict[str, tuple[str, Any, str]] = {
    "float": ("lr", 0.001, "1e-06"),
    "the first group's": ("lr", 0.25, "0.0625"),
    "float32 tensor": ("tensor", 0.001, "1e-06"),
    "element": ("coefficients[0]", 0.001, "1e-06"),
    "tensor that groups share": ("shared", 0.05, "0.0025"),
    "NumPy's number": ("lr", np.float64(0.001), "1e-06"),
    "the optimizer's default": ("weight_decay", 0.01, "0.0001"),
}


def test_the_initial_value_in_an_optimizer_of_version_1_is_found() -> None:
    """Version 1 kept initial values elsewhere, and its checkpoints still do."""
    opt = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    opt.param_groups[0]["noise"] = 0.25
    opt.param_groups[0]["schedule_namespaces"] = {"noise": {"initial_lr": 0.5}}
    with pytest.warns(UserWarning, match="value=0.5 is the initial value of 'noise'"):
        schedule = tsa_builtins.constant_schedule(opt, 0.5, "noise")
    assert tsa_builtins.to_plan(schedule)["noise"]["default_value"] == 0.5


@pytest.mark.parametrize(("name", "kind"), crossed(NAMES, MEANT_AS_VALUES))
def test_a_multiplier_that_is_the_initial_value_warns(
    name: str, kind: str, untouched: Untouched
) -> None:
    """One warning at the user's line has the argument, the target, the product and the remedy."""
    opt, (target, W, product) = optimizer(), MEANT_AS_VALUES[kind]
    with pytest.warns(UserWarning, match=f"^{name}: ") as caught:
        build(name, opt, Plan(), target, **{parameter_of(name): W})
    (warning,) = caught
    message = str(warning.message)
    assert f"{parameter_of(name)}={float(W)!r} is the initial value of '{target}'" in message
    assert f"which gives {product}. " in message
    assert "absolute=True" in message
    opt = optimizer()
    warnings.simplefilter("error")  # pytest puts the filters back after each test
    with untouched(opt), pytest.raises(UserWarning, match="is the initial value"):
        build(name, opt, Plan(), target, **{parameter_of(name): W})
    assert not opt._optimizer_step_pre_hooks


@every_name
def test_other_multipliers_do_not_warn(name: str) -> None:
    """0, 1, a number beside the initial value and an absolute value are taken as they are."""
    for first_lr, W in ((1.0, 1.0), (1.0, 1), (0.0, 0.0), (0.1, 0.101)):
        build(name, adamw({"lr": first_lr}, {"lr": 0.001}), Plan(W=W))
    build(name, adamw({"scale": 0.1}, {"scale": 0.001}), Plan(W=-0.1), "scale")
    build(name, adamw({"lr": 0.1}), Plan(W=0.1), absolute=True)


@pytest.mark.parametrize("name", some(NAMES))
def test_the_recorded_initial_value_counts(name: str) -> None:
    """A schedule that is built again compares with the initial value, not with the present one."""
    opt = optimizer()
    tsa_builtins.constant_schedule(opt, 0.5)
    build(name, opt, Plan(W=0.125))
    with pytest.warns(UserWarning, match="which gives 0.0625"):
        build(name, opt, Plan(W=0.25))


@pytest.mark.parametrize("name", some(NAMES))
def test_a_proxy_is_looked_through(name: str) -> None:
    """On a proxy's ``lr`` the warning names the real target."""
    opt = optimizer()
    with pytest.warns(UserWarning, match="initial value of 'weight_decay'") as caught:
        tsa_core.arbitrary_schedule_factory(
            opt,
            lambda proxy: build(name, proxy, Plan(W=0.01)),
            schedule_target="weight_decay",
        )
    assert len(caught) == 1
    tsa_builtins.constant_schedule(tsa_core.ProxyOptimizer(opt, "weight_decay"), 0.001)


def test_a_group_that_is_not_like_torchs_can_be_scheduled() -> None:
    """Groups without parameters are scheduled, and their initial values are looked at too."""

    class Bare:
        param_groups = ({"threshold": 5.0},)

    with pytest.warns(UserWarning, match="value=5.0 is the initial value of 'threshold'"):
        tsa_builtins.constant_schedule(Bare(), 5.0, "threshold")
    assert Bare.param_groups[0]["threshold"] == 25.0


# -- a step count that was meant as a fraction -------------------------------------------------


@pytest.mark.parametrize(("name", "L"), crossed(WITH_WARMUP, [0.1, 0.999, 1e-9, np.float64(0.06)]))
def test_a_warmup_of_less_than_a_step_warns(name: str, L: float, untouched: Untouched) -> None:
    """One warning has the number, what it counts, and what to write for a fraction."""
    opt = optimizer()
    with pytest.warns(UserWarning, match=f"^{name}: num_warmup_steps=") as caught:
        build(name, opt, Plan(L=L))
    (warning,) = caught
    assert f"num_warmup_steps={float(L)!r} * num_training_steps;" in str(warning.message)
    opt = optimizer()
    warnings.simplefilter("error")
    with untouched(opt), pytest.raises(UserWarning, match="not a fraction of the run"):
        build(name, opt, Plan(L=L), absolute=True)
    assert not opt._optimizer_step_pre_hooks


@pytest.mark.parametrize("name", WITH_WARMUP)
def test_other_warmups_do_not_warn(name: str) -> None:
    """No warmup, and a warmup of a step or more, are taken as they are."""
    for L in (0, 0.0, 1, 1.0, 1.5):
        build(name, optimizer(), Plan(L=L))


@pytest.mark.parametrize("name", ANNEALING)
def test_a_run_that_is_counted_in_runs_does_not_warn(name: str) -> None:
    """Where the whole run is at most 1 long, a fraction is the right length of a warmup."""
    for M in (1, 1.0, 0.5):
        build(name, optimizer(), Plan(L=0.1, M=M))


@pytest.mark.parametrize("name", some(WITH_WARMUP))
def test_both_mistakes_warn(name: str) -> None:
    """A fraction and a value make two warnings."""
    with pytest.warns(UserWarning, match="ignore this warning") as caught:
        build(name, optimizer(), Plan(W=0.001, L=0.1))
    assert len(caught) == 2


# -- where the warnings point ------------------------------------------------------------------


@every_name
def test_a_doubt_points_at_the_users_line_and_changes_no_value(name: str) -> None:
    """The warning has the file and line of the call. W multiplies the initial value as written."""
    make, opt, given = getattr(tsa_builtins, name), optimizer(), arguments(name, Plan(W=0.001))

    def call() -> Any:
        return make(opt, **given)

    with pytest.warns(UserWarning, match="is the initial value") as caught:
        schedule = call()
    line = call.__code__.co_firstlineno + 1
    assert [(warning.filename, warning.lineno) for warning in caught] == [(__file__, line)]
    λ = closed_form(name, Plan(W=0.001), 4)
    assert schedule.values_at(4) == pytest.approx([0.25 * λ, 0.001 * λ])
