"""Plans: each way to say what drives a target, to a schedule and back."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
import yaml
from cases import crossed
from closed_forms import NAMES, Plan, arguments, closed_form
from plan_forms import HALF, LINE, make_optimizer, values_along
from small_runs import Untouched, adamw, ignore_epoch_deprecation, through_json
from test_plan_formats import is_valid
from torch.optim import lr_scheduler as torch_lr
from torch.optim.swa_utils import SWALR

import tsa_builtins
from tsa_builtins import curves, from_plan, to_plan
from tsa_builtins.schedules.registry import BUILT_INS, STEP_ARGUMENTS, plan_arguments
from tsa_core import (
    CurveSchedule,
    DerivedSchedule,
    SynchronousSchedule,
    arbitrary_schedule_factory,
    torch_schedulers,
)

# -- built-ins -------------------------------------------------------------------------------------


def test_every_built_in_is_registered() -> None:
    """The built-ins that a plan can name are all that the package has."""
    assert sorted(BUILT_INS) == sorted(NAMES)
    assert {name: getattr(tsa_builtins, name) for name in NAMES} == BUILT_INS
    # Every argument that stretching multiplies is an argument of a built-in.
    assert {key for each in BUILT_INS.values() for key in plan_arguments(each)} > STEP_ARGUMENTS


@pytest.mark.parametrize(("name", "factor"), crossed(NAMES, [1, 391, 0.25]))
def test_a_built_in_by_name(name: str, factor: float) -> None:
    """A built-in takes its own arguments; stretched by f, it has at step f·t its value at t."""
    form = Plan()
    described = {"schedule": name, **arguments(name, form)}
    plan = {"weight_decay": described, "lr": {**described, "absolute": True}}
    decay, lr = from_plan(make_optimizer(), plan, stretch=factor).schedules.values()
    for t in (0, 1, 1.5, 4, 7.5, 12, 100):
        λ = closed_form(name, form, t)
        assert decay.values_at(factor * t) == pytest.approx([0.2 * λ, 0.4 * λ], rel=1e-12)
        assert lr.values_at(factor * t) == pytest.approx([λ, λ], rel=1e-12)


def test_a_warning_about_a_built_in_points_at_the_call() -> None:
    plan = {"lr": {"schedule": "constant_schedule", "value": 0.1}}
    with pytest.warns(UserWarning, match="is the initial value of 'lr'") as caught:
        from_plan(make_optimizer(), plan)
    assert caught[0].filename == __file__


# -- curves ----------------------------------------------------------------------------------------

CURVES: list[tuple[dict[str, Any], list[float]]] = [
    ({"curve": LINE}, [0.06, 0.12]),
    ({"curve": LINE, "absolute": True}, [0.6, 0.6]),
    ({"curve": {"backbone": LINE, "*": None}}, [0.06, 0.2]),
    ({"curve": {"*": HALF, "head": LINE}}, [0.05, 0.12]),
    ({"curve": [LINE, None]}, [0.06, 0.2]),
]


def test_a_curve_for_all_groups_or_for_each() -> None:
    """A curve gives multiples or values; groups find theirs by name or in order, or are left."""
    for described, values in CURVES:
        plan = {"lr": described}
        for stretch in (1, 100):  # plays every curve that much slower
            schedule = from_plan(make_optimizer(), plan, stretch=stretch)
            schedule.step(4 * stretch)
            assert schedule.get_last_schedule("lr") == pytest.approx(values, rel=1e-12)
        assert to_plan(from_plan(make_optimizer(), plan)) == plan
    # A mapping whose values are curves is one of names, even if a name is "kind".
    plan = {"lr": {"curve": {"kind": HALF}}}
    schedule = from_plan(adamw({"name": "kind"}, lr=1.0), plan)
    assert schedule.get_last_lr() == [0.5]
    assert to_plan(schedule) == plan


def test_what_is_stretched() -> None:
    """A curve is written as a stretched one. A torch scheduler counts steps."""
    schedule = from_plan(make_optimizer(), {"lr": {"curve": LINE}}, stretch=100)
    assert to_plan(schedule) == {"lr": {"curve": {"kind": "Stretch", "curve": LINE, "factor": 100}}}
    plan = {"lr": {"scheduler": "StepLR", "step_size": 3}}
    with pytest.raises(ValueError, match=r"^lr\.scheduler: StepLR counts steps .* stretch=100"):
        from_plan(make_optimizer(), plan, stretch=100)


# -- torch's schedulers ----------------------------------------------------------------------------

PARTS = [
    {"scheduler": "ConstantLR", "factor": 0.5, "total_iters": 2},
    {"curve": LINE},
    {"schedule": "constant_schedule", "value": 0.25},
]
SCHEDULERS: dict[str, dict[str, Any]] = {
    "StepLR": {"step_size": 3},
    "MultiStepLR": {"milestones": [5, 2], "gamma": 0.5},  # torch sorts them
    "ConstantLR": {"factor": 0.5},
    "LinearLR": {"start_factor": 0.1},
    "ExponentialLR": {"gamma": 0.9},
    "PolynomialLR": {"power": 2},
    "CosineAnnealingLR": {"T_max": 8},
    "CosineAnnealingWarmRestarts": {"T_0": 3, "T_mult": 2},
    "CyclicLR": {"base_lr": [0.1, 0.2], "max_lr": 1, "step_size_up": 3, "cycle_momentum": False},
    "OneCycleLR": {"max_lr": 1, "epochs": 5, "steps_per_epoch": 10, "cycle_momentum": False},
    "ReduceLROnPlateau": {"patience": 0, "factor": 0.5},
    "SWALR": {"swa_lr": 0.3},
    "SequentialLR": {"schedulers": PARTS, "milestones": [3, 6]},
    "ChainedScheduler": {"schedulers": PARTS[:1]},
}


def in_code(name: str, optimizer: Any) -> Any:
    """The scheduler of SCHEDULERS, made by torch."""
    if "schedulers" not in SCHEDULERS[name]:
        return {**vars(torch_lr), "SWALR": SWALR}[name](optimizer, **SCHEDULERS[name])
    constant = torch_lr.ConstantLR(optimizer, 0.5, 2)
    if name == "ChainedScheduler":
        return torch_lr.ChainedScheduler([constant])
    line = CurveSchedule(optimizer, curves.Linear(1, 0, 10))
    quarter = tsa_builtins.constant_schedule(optimizer, 0.25)
    return torch_lr.SequentialLR(optimizer, [constant, line, quarter], [3, 6])


@ignore_epoch_deprecation
@pytest.mark.parametrize(
    ("name", "target"), crossed(SCHEDULERS, ["lr", "weight_decay", "temperature"])
)
def test_a_torch_scheduler_by_name(name: str, target: str) -> None:
    """A plan's scheduler has the values of the same scheduler in code; so has its plan's."""
    assert SCHEDULERS.keys() == torch_schedulers().keys() - {"LambdaLR", "MultiplicativeLR"}
    plan = {target: {"scheduler": name, "default_value": 2.0, **SCHEDULERS[name]}}
    built = from_plan(make_optimizer(), plan)
    made = arbitrary_schedule_factory(
        make_optimizer(), lambda o: in_code(name, o), 2.0, schedule_target=target
    )
    of_code = to_plan(made)
    assert to_plan(built) == of_code
    expected = values_along(SynchronousSchedule([made]), 45)
    assert values_along(built, 45) == expected
    assert values_along(from_plan(make_optimizer(), of_code), 45) == expected


COUNTS = {
    (name, key): setting.counts_steps
    for name, form in torch_schedulers().items()
    for key, setting in form.settings.items()
    if setting.counts_steps is not None
}


@ignore_epoch_deprecation
@pytest.mark.parametrize(("name", "key"), COUNTS)
def test_a_number_of_steps_is_one_that_torch_computes_right(
    name: str, key: str, untouched: Untouched
) -> None:
    """Steps that torch never meets, or divides by, are refused with their path; others run."""
    needed = {**SCHEDULERS, "SequentialLR": {"schedulers": PARTS[:2]}}[name]
    if key == "total_steps":  # in place of the two others
        needed = {key: each for key, each in needed.items() if "epoch" not in key}

    def plan_with(steps: Any) -> dict[str, Any]:
        value = [steps] if key == "milestones" else steps
        return {"eps": {"scheduler": name, **needed, key: value}}

    allowed: Any = COUNTS[name, key]
    right: list[float] = [50, 9 if name == "OneCycleLR" else 1]
    wrong: list[float] = [-3, -0.5]
    (right if allowed.may_be_zero else wrong).append(0)
    (wrong if allowed.whole else right).extend([0.5, 10 / 3] if allowed.whole else [2.5])
    for steps in right:
        assert is_valid(plan_with(steps))  # of the JSON Schema
        values_along(from_plan(make_optimizer(), plan_with(steps)), 8)
    optimizer = make_optimizer()
    message = re.escape(f"eps.{key}: expected ") + "(whole )?steps, .*, got "
    for steps in wrong:
        assert not is_valid(plan_with(steps))
        with untouched(optimizer), pytest.raises(ValueError, match=f"^{message}"):
            from_plan(optimizer, plan_with(steps))


def test_every_setting_that_counts_is_known() -> None:
    """The settings of torch that count steps, and no other ones."""
    assert {key for _, key in COUNTS} == {
        "step_size", "milestones", "total_iters", "T_max", "T_0", "total_steps", "epochs",
        "steps_per_epoch", "anneal_epochs", "patience", "cooldown", "step_size_up",
        "step_size_down",
    }  # fmt: skip


# -- entries that the optimizer does not have ------------------------------------------------------


def test_a_default_value_is_added_where_it_is_missing() -> None:
    """``default_value`` is the initial value in groups that lack the entry, and no other."""
    optimizer = make_optimizer()
    optimizer.param_groups[1]["clip"] = 3.0
    plan = {
        "clip": {"curve": HALF, "default_value": 8},
        "noise": {"scheduler": "ExponentialLR", "gamma": 0.5, "default_value": 1.0},
        "temperature": {"schedule": "constant_schedule", "value": 0.5, "default_value": 2.0},
    }
    assert from_plan(optimizer, plan).get_last_schedules() == {
        "clip": [4.0, 1.5], "noise": [1.0, 1.0], "temperature": [1.0, 1.0]
    }  # fmt: skip


def test_a_default_value_is_written_if_the_groups_agree() -> None:
    """An added entry has its initial value, whatever it is now; two numbers are not one."""
    plan = {"clip": {"curve": LINE, "default_value": 8.0}}
    schedule = from_plan(make_optimizer(), plan)
    schedule.step(5)
    assert to_plan(schedule) == plan
    optimizer = make_optimizer()
    for i, group in enumerate(optimizer.param_groups):
        group["clip"], group["gate"], group["heat"] = 1.0 + i, 1.0 + i, torch.tensor(2.0)
    one = chain(HALVED)
    plan = {"clip": {"curve": LINE}, "gate": one, "heat": {"curve": HALF}, "eps": one}
    written = to_plan(from_plan(optimizer, plan))
    default_values = {key: each.get("default_value") for key, each in written.items()}
    assert default_values == {"clip": None, "gate": None, "heat": 2.0, "eps": None}


def chain(*parts: Any) -> dict[str, Any]:
    return {"scheduler": "ChainedScheduler", "schedulers": [*parts]}


def sequence(*parts: Any) -> dict[str, Any]:
    milestones = [5, 10][: len(parts) - 1]
    return {"scheduler": "SequentialLR", "schedulers": [*parts], "milestones": milestones}


HALVED = PARTS[0]
CYCLE = {"scheduler": "OneCycleLR", **SCHEDULERS["OneCycleLR"], "max_lr": [1.0, 3.0]}
WAVES = {"scheduler": "CyclicLR", **SCHEDULERS["CyclicLR"], "max_lr": [1.0, 3.0]}
COMPOUNDS = [
    chain(chain(CYCLE), HALVED),
    *(
        compound(*parts)
        for parts in ([CYCLE], [WAVES], [CYCLE, HALVED], [HALVED, WAVES], [HALVED, HALVED, CYCLE])
        for compound in (chain, sequence)
    ),
]


@ignore_epoch_deprecation
@pytest.mark.parametrize("described", COMPOUNDS)
def test_a_compound_keeps_its_default_value(described: dict[str, Any]) -> None:
    """A compound whose groups differ is built again on an optimizer that lacks the entry."""
    schedule = from_plan(make_optimizer(), {"clip": {**described, "default_value": 2.0}})
    written = to_plan(schedule)
    if described["schedulers"][0] is HALVED:
        assert written["clip"]["default_value"] == 2.0
    again = from_plan(make_optimizer(), written)
    assert to_plan(again) == written
    assert values_along(again, 25) == values_along(schedule, 25)


# -- what a plan is not ----------------------------------------------------------------------------


def test_a_plan_has_neither_a_position_nor_a_clock() -> None:
    """They are in the state and in the code. A later change of the plan's dicts changes nothing."""
    plan = through_json({"lr": {"curve": [LINE, None]}})
    kept = copy.deepcopy(plan)
    schedule = from_plan(make_optimizer(), plan)
    plan["lr"]["curve"].clear()
    schedule.step(7)
    assert to_plan(SynchronousSchedule([schedule], clock=lambda: 7)) == kept
    again = from_plan(make_optimizer(), kept)
    again.load_state_dict(schedule.state_dict(), plan="same")
    assert again.get_last_schedules() == schedule.get_last_schedules()


def test_a_schedule_alone_is_written_too() -> None:
    """A schedule that stands alone is a plan of one target, and stays as it is."""
    optimizer = make_optimizer()
    schedule = tsa_builtins.constant_schedule(optimizer, 0.5, "weight_decay")
    assert to_plan(schedule) == {"weight_decay": {"curve": HALF}}
    assert schedule.get_last_lr() == [0.1, 0.2]
    schedule = torch_lr.StepLR(optimizer, 7)  # built without the factory
    assert to_plan(schedule) == {"lr": {"scheduler": "StepLR", "step_size": 7, "gamma": 0.1}}


def test_points_are_a_mapping() -> None:
    """Each point is a line of YAML, and the curve comes back from it and from JSON."""
    curve = curves.Piecewise({0: 0, 0.5: 0.25, 500: 1, 1e16: (0, "OneMinusSqrt")})
    text = yaml.safe_dump(to_plan(CurveSchedule(make_optimizer(), curve)), sort_keys=False)
    assert [line.strip() for line in text.splitlines()] == [
        "lr:", "curve:", "kind: Piecewise", "points:", "'0': 0", "'0.5': 0.25", "'500': 1",
        "1e+16:", "- 0", "- OneMinusSqrt",
    ]  # fmt: skip
    for plan in (yaml.safe_load(text), through_json(yaml.safe_load(text))):
        assert from_plan(make_optimizer(), plan).schedules["lr"].curve == curve
    # So are stairs and a switch, at any depth.
    inner = curves.PiecewiseConstant({0: 1, 30: 0.1})
    plan = to_plan(CurveSchedule(make_optimizer(), curves.switch({0: inner, 50: 0.5 * inner})))
    stairs = {"kind": "PiecewiseConstant", "points": {"0": 1, "30": 0.1}}
    product = {"kind": "Product", "factors": [0.5, stairs]}
    assert plan == {"lr": {"curve": {"kind": "Switch", "curves": {"0": stairs, "50": product}}}}
    assert curves.to_dict(inner)["points"] == [[0, 1], [30, 0.1]]  # in states, as before


def falling(t: float) -> float:
    return 1 / (1 + t)


ONE = curves.Constant(1)
CODE: dict[str, Callable[[Any], Any]] = {
    r"lr\.curve: <function falling": lambda o: CurveSchedule(o, falling),
    r"lr\.curve\.head: <function falling":
        lambda o: CurveSchedule(o, {"head": falling, "*": None}),
    r"lr\.curve\[1\]: ": lambda o: CurveSchedule(o, [None, falling]),
    r"lr\.curve: ": lambda o: CurveSchedule(o, falling * ONE),
    r"lr\.lr_lambda: a function.*LambdaLR": lambda o: torch_lr.LambdaLR(o, falling),
    r"lr\.scale_fn: a function.*CyclicLR":
        lambda o: torch_lr.CyclicLR(o, 0.1, 1, scale_fn=falling, cycle_momentum=False),
    r"lr\.schedulers\[0\]\.lr_lambda: ":
        lambda o: torch_lr.ChainedScheduler([torch_lr.LambdaLR(o, falling)]),
    "weight_decay: a DerivedSchedule, and its rule, <function falling":
        lambda o: DerivedSchedule(o, falling, "weight_decay"),
    r"weight_decay\.rule: <function falling":
        lambda o: DerivedSchedule(o, curves.Power(1) * falling, "weight_decay"),
    "weight_decay: a Own, which only its author":
        lambda o: type("Own", (DerivedSchedule,), {})(o, curves.Power(1), "weight_decay"),
    "lr: where=<class 'bool'>.* Write one curve per name of a group, {'decay': curve":
        lambda o: CurveSchedule(o, ONE, where=bool),
    "weight_decay: where=<class 'bool'>.* Write this member in code":
        lambda o: DerivedSchedule(o, ONE, "weight_decay", where=bool),
    "lr: a OfAnotherAuthor, which only its author":
        lambda o: type("OfAnotherAuthor", (torch_lr.StepLR,), {})(o, 3),
    "lr: a Mine, which only its author": lambda o: type("Mine", (CurveSchedule,), {})(o, ONE),
}  # fmt: skip


def test_code_is_refused_by_the_members_name() -> None:
    """A function is not data: the error says which member has it, and where."""
    for message, make in CODE.items():
        optimizer = make_optimizer()
        other = CurveSchedule(optimizer, ONE, "eps")
        with pytest.raises(TypeError, match=f"^{message}"):
            to_plan(SynchronousSchedule([other, make(optimizer)]))
    # The remedy: the other members are a plan, and the function stands beside it in code.
    optimizer = make_optimizer()
    others = from_plan(optimizer, {"lr": {"curve": LINE}})
    rule = DerivedSchedule(optimizer, math.sqrt, "weight_decay")
    schedule = SynchronousSchedule([others, rule])
    schedule.step(10)
    assert schedule.get_last_schedules() == {"lr": [0, 0], "weight_decay": [0, 0]}
