"""The half cosine, warmup–stable–decay, the inverse square root, and warmups above 0."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from cases import crossed, some
from closed_forms import FOREVER, NAMES, RISING, Plan, arguments, build, closed_form, fitted
from curve_forms import TRANSITIONS, at_progress
from torch.optim.lr_scheduler import CosineAnnealingLR

import tsa_builtins
from tsa_builtins import from_plan, to_plan

STEPS = (0, 1, 3.5, 4, 5, 8, 11.75, 12, 13, 1e9)


def optimizer() -> Any:
    """Two groups, with an entry ``"scale"`` that may be negative."""
    return torch.optim.SGD(
        {"params": [torch.nn.Parameter(torch.ones(1))], "lr": lr, "scale": 1.0}
        for lr in (0.1, 0.003)
    )


def built(name: str, *args: Any, **given: Any) -> Any:
    return getattr(tsa_builtins, name)(optimizer(), *args, **given)


# -- a warmup above 0 ------------------------------------------------------------------------------

WARMUPS = {"whole": Plan(), "not whole": Plan(L=2.5), "none": Plan(L=0), "upwards": Plan(W=-2)}


@pytest.mark.parametrize(("name", "form"), crossed(RISING, WARMUPS.values()))
def test_skip_zero_starts_above_0_and_moves_nothing_else(name: str, form: Plan) -> None:
    """The warmup is W·(t + 1)/(L + 1) up to L; from there on, the values are the same bits."""
    form = fitted(name, form)
    schedule = build(name, optimizer(), form, "scale", skip_zero=True)
    plain = build(name, optimizer(), form, "scale")
    for t in (*STEPS, form.L / 3, form.L):
        if t < form.L:
            expected = form.W * (t + 1) / (form.L + 1)
            assert schedule.curve(t) == pytest.approx(expected, rel=1e-12)
        else:
            assert schedule.curve(t) == plain.curve(t)
    assert schedule.curve(0) != 0


@pytest.mark.parametrize("name", RISING)
def test_the_first_step_of_the_optimizer_moves(name: str) -> None:
    """The rate of the first step is the initial value times W/(L + 1), in every group."""
    opt = optimizer()
    build(name, opt, Plan(W=1.5, L=4), skip_zero=True)
    assert [group["lr"] for group in opt.param_groups] == pytest.approx([0.03, 0.0009])


def test_every_warmup_from_0_has_the_argument() -> None:
    """The built-ins whose warmup rises take ``skip_zero``, and the others do not."""
    takes = {name for name in NAMES if "skip_zero" in getattr(tsa_builtins, name).__annotations__}
    assert takes == set(RISING)


@pytest.mark.parametrize("name", some(RISING))
@pytest.mark.parametrize("bad", [1, None, "yes"])
def test_a_skip_zero_that_is_not_a_bool_is_refused(name: str, bad: Any, untouched: Any) -> None:
    """A TypeError names the argument and the value, and nothing has moved."""
    opt = optimizer()
    with untouched(opt), pytest.raises(TypeError, match=f"skip_zero: .*{bad!r}"):
        build(name, opt, Plan(), skip_zero=bad)


# -- the half cosine -------------------------------------------------------------------------------


def test_the_half_cosine_is_the_cosine_of_torch() -> None:
    """After the warmup the values are those of torch's CosineAnnealingLR, up to its T_max."""
    opt = optimizer()
    theirs = CosineAnnealingLR(opt, T_max=900)
    ours = built("half_cosine_annealing_with_warmup", 1.0, 0.0, 100, 1000)
    for t in range(901):
        assert ours.values_at(100 + t) == pytest.approx(theirs.get_last_lr(), rel=1e-9, abs=1e-15)
        opt.step()
        theirs.step()


def test_the_two_cosines_say_which_they_are() -> None:
    """The docstring of the quarter wave begins with that, and leads to the half wave."""
    for name in ("cosine_annealing_with_warmup", "cosine_annealing_with_inverse_warmup"):
        text = getattr(tsa_builtins, name).__doc__
        assert text.startswith("The annealing is a quarter of a cosine wave")
        assert "half_cosine_annealing_with_warmup" in text
    assert "1 − √p" in str(tsa_builtins.sqrt_schedule_with_warmup.__doc__)
    assert "arxiv.org/abs/2405.18392" in str(tsa_builtins.sqrt_schedule_with_warmup.__doc__)


# -- warmup, stable, decay -------------------------------------------------------------------------

OWN: dict[str, tuple[float, ...]] = {"Polynomial": (1.7,)}


@pytest.mark.parametrize("shape", TRANSITIONS)
def test_the_decay_follows_any_shape(shape: str) -> None:
    """W until M − D, then the shape from W to A, then A."""
    own = OWN.get(shape, ())
    decay = (shape, *own) if own else shape
    schedule = built("warmup_stable_decay", 1.5, 0.25, 4, 6, 30, decay=decay)
    for t in (0, 2, 4, 10, 24, 24.5, 27, 29.9, 30, 1e12):
        others = dict(zip(("exponent",), own))
        expected = at_progress(TRANSITIONS[shape], t - 24, 1.5, 0.25, 6, **others)
        assert schedule.curve(t) == pytest.approx(1.5 * t / 4 if t < 4 else expected, rel=1e-12)


def test_no_plateau_and_no_decay() -> None:
    """With L + D = M there is no plateau; with D = 0 the value drops after M."""
    assert built("warmup_stable_decay", 1.0, 0.0, 10, 20, 30).curve(15) == 0.5
    schedule = built("warmup_stable_decay", 1.0, 0.2, 10, 0, 30)
    assert [schedule.curve(t) for t in (10, 29, 30, 31)] == [1.0, 1.0, 1.0, 0.2]


@pytest.mark.parametrize(("L", "D", "M"), [(0.1, 0.9, 1), (0.1, 0.2, 0.3), (0.7, 0.1, 0.8)])
def test_parts_that_add_up_are_taken_although_floats_do_not(L: float, D: float, M: float) -> None:
    """0.1 + 0.2 is more than 0.3 for a float, and exactly the run for its author."""
    schedule = built("warmup_stable_decay", 1.0, 0.0, L, D, M)
    assert schedule.curve(L) == pytest.approx(1, abs=1e-7)
    assert schedule.curve(M) == 0


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"num_decay_steps": 7}, ValueError, "num_decay_steps: expected at most .* = 6, got 7"),
        ({"decay": "Cosin"}, ValueError, "decay: 'Cosin' is not a shape; .*'Cosine'"),
        ({"decay": 3}, TypeError, "decay: expected the name of a shape, got 3"),
        ({"decay": "Polynomial"}, TypeError, "decay: expected .*'Polynomial', exponent"),
        ({"decay": ("Polynomial", -1)}, ValueError, "decay: .*exponent: expected more than 0"),
        ({"decay": "Exponential"}, ValueError, "decay: Exponential from 1.0 to 0.0: "),
    ],
)
def test_a_decay_that_does_not_fit_is_refused(
    given: dict[str, Any], error: type[Exception], message: str, untouched: Any
) -> None:
    """The error names the argument, and the groups stay as they were."""
    opt = optimizer()
    plan = {"num_warmup_steps": 4, "num_decay_steps": 3, "num_training_steps": 10, **given}
    with untouched(opt), pytest.raises(error, match=message):
        tsa_builtins.warmup_stable_decay(opt, 1.0, 0.0, **plan)


def test_a_decay_that_looks_like_a_fraction_warns() -> None:
    """A decay of 0.1 steps was probably meant as a tenth of the run."""
    with pytest.warns(UserWarning, match="num_decay_steps=0.1 is less than one step"):
        built("warmup_stable_decay", 1.0, 0.0, 10, 0.1, 100)


# -- the inverse square root -----------------------------------------------------------------------


@pytest.mark.parametrize("L", [1, 4, 2.5, 4000])
def test_the_inverse_square_root_falls_forever(L: float) -> None:
    """λ is W·√(L/t) after the warmup, with t counted from the beginning."""
    schedule = built("inverse_sqrt_with_warmup", 1.5, L)
    for times in (1, 1.5, 2, 4, 100, 1e6, 1e12):
        assert schedule.curve(L * times) == pytest.approx(1.5 / math.sqrt(times), rel=1e-12)
    assert schedule.curve(L / 2) == 0.75


def test_an_inverse_square_root_without_a_warmup_is_refused(untouched: Any) -> None:
    """W·√(0/t) is 0 forever; the error says what to write."""
    opt = optimizer()
    with untouched(opt), pytest.raises(ValueError, match=r"num_warmup_steps: .*InverseSqrt\(1, "):
        tsa_builtins.inverse_sqrt_with_warmup(opt, 1.0, 0)


# -- plans -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RISING)
def test_a_plan_names_flags_and_shapes(name: str) -> None:
    """A plan gives the arguments that code gives, and is written as the curve that it makes."""
    form = fitted(name, replace(Plan(), W=0.5))
    described: dict[str, Any] = {"schedule": name, **arguments(name, form), "skip_zero": True}
    given: dict[str, Any] = {"skip_zero": True}
    if name == "warmup_stable_decay":
        described["decay"] = ["Polynomial", 2.0]
        given["decay"] = ("Polynomial", 2.0)
    schedule = from_plan(optimizer(), json.loads(json.dumps({"lr": described})))
    code = build(name, optimizer(), form, **given)
    again = from_plan(optimizer(), json.loads(json.dumps(to_plan(schedule))))
    for t in STEPS:
        assert schedule.schedules["lr"].values_at(t) == code.values_at(t)
        assert again.schedules["lr"].values_at(t) == code.values_at(t)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"skip_zero": 1}, TypeError, r"^lr\.skip_zero: expected true or false, got 1"),
        ({"decay": "Cosin"}, ValueError, r"^lr\.decay: 'Cosin' is not a shape"),
        ({"decay": ["Polynomial", "2"]}, TypeError, r"^lr\.decay\[1\]: .*write 2 without"),
        ({"decay": 2}, TypeError, r"^lr\.decay: expected the name of a shape"),
        ({"decays": 2}, ValueError, r"^lr\.decays: .*did you mean 'decay'"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(
    changed: dict[str, Any], error: type[Exception], message: str, untouched: Any
) -> None:
    """The message begins with the path of what is wrong."""
    described = {
        "schedule": "warmup_stable_decay",
        **arguments("warmup_stable_decay", Plan(W=0.5)),
        **changed,
    }
    opt = optimizer()
    with untouched(opt), pytest.raises(error, match=message):
        from_plan(opt, {"lr": described})


def test_a_plan_in_epochs_has_its_decay_in_epochs() -> None:
    """Stretching multiplies the length of the decay like the other steps."""
    form = Plan(W=0.5)
    described = {"schedule": "warmup_stable_decay", **arguments("warmup_stable_decay", form)}
    schedule = from_plan(optimizer(), {"lr": described}, stretch=391).schedules["lr"]
    for t in STEPS:
        expected = closed_form("warmup_stable_decay", form, t)
        assert schedule.values_at(391 * t)[0] == pytest.approx(0.1 * expected)


def test_one_built_in_has_no_end() -> None:
    """``FOREVER`` is the built-in that takes no number of training steps beside its warmup."""
    assert FOREVER in RISING
    assert "num_training_steps" not in arguments(FOREVER, Plan())
