"""``load_state_dict(state, plan=…)``: the plan that a run follows if the saved one differs."""

from __future__ import annotations

import copy
import re
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from cases import crossed
from small_runs import Untouched, adamw, advance, ignore_epoch_deprecation, through_json
from torch.optim import lr_scheduler as torch_lr

from tsa_builtins import from_plan
from tsa_builtins.curves import Constant, Cosine, Linear, PiecewiseConstant, join, to_dict
from tsa_core import CurveSchedule, DerivedSchedule, SynchronousSchedule

pytestmark = ignore_epoch_deprecation

TARGET = "weight_decay"
INITIAL = [0.5, 0.25]
SAVED_AT = 5


def two_groups(kind: Callable[[float], Any] = float) -> torch.optim.AdamW:
    """Two groups, in which lr and weight decay have the initial values above."""
    return adamw(*({"lr": v, TARGET: kind(v), "name": name} for name, v in zip("ab", INITIAL)))


def held(optimizer: Any, target: str = TARGET) -> list[float]:
    return [float(group[target]) for group in optimizer.param_groups]


def rows(schedule: Any, target: str = TARGET) -> list[list[float]]:
    """The values of the target, now and after each of the next steps."""
    values = [held(schedule.optimizer, target)]
    for _ in range(6):
        advance(schedule)
        values.append(held(schedule.optimizer, target))
    return values


CODE, LINE, HALF = Linear(0.875, 0.375, 16), Linear(0.75, 0.25, 8), Constant(0.5)


def code(t: float) -> float:
    return 0.875 - t / 32


def square(multiple: float) -> float:
    return multiple**2


def in_code(optimizer: Any) -> CurveSchedule:
    return CurveSchedule(optimizer, CODE, TARGET)


# -- runs whose plan differs from the one in the code ----------------------------------------------

Make = Callable[[Any], Any]


Expected = Callable[[list[float]], list[list[float]]]


class Run(NamedTuple):
    """A run that is saved, and how the code builds it."""

    start: Make
    code: Make
    says: str  # what both messages show of the saved plan
    expected: Expected | None = None  # from the saved values, the rows under the plan in the code


def along_code(values: list[float]) -> list[list[float]]:
    steps = range(SAVED_AT + 1, SAVED_AT + 7)
    return [values, *([code(t) * initial for initial in INITIAL] for t in steps)]


def until_saved(schedule: Any) -> Any:
    advance(schedule, SAVED_AT - int(schedule.last_epoch))
    return schedule


def of_curve(curve: Any, says: str, absolute: bool = False, replanned: Any = None) -> Run:
    """A run of a curve, which from step 3 on follows ``replanned``, if that is given."""

    def start(optimizer: Any) -> Any:
        schedule = CurveSchedule(optimizer, curve, TARGET, absolute=absolute)
        if replanned is not None:
            advance(schedule, 3)
            schedule.replan(replanned)
        return until_saved(schedule)

    return Run(start, in_code, says, along_code)


FUNCTION = "<function code"
STAIRS = PiecewiseConstant({0: 0.5, 4: 0.25})
CURVES = {
    "a different curve": of_curve(Cosine(0.75, 0.25, 8), "Cosine"),
    "a different number": of_curve(Linear(0.875, 0.375, 17), "steps=17"),
    "a join": of_curve(join([LINE, HALF * Linear(1, 0, 9)], [6]), "join"),
    "values": of_curve(CODE, "as absolute values", absolute=True),
    "by name": of_curve({"a": LINE, "*": CODE}, "'a': 'Linear"),
    "in order": of_curve([HALF, LINE], "'Constant"),
    "one left alone": of_curve([CODE, None], "None"),
    "replanned": of_curve(CODE, "from step 3", replanned=LINE),
    "replanned, same curve": of_curve(CODE, "from step 3", replanned=CODE),
    "replanned, values": of_curve(HALF, "values from step 3", True, {"b": LINE, "*": None}),
    "replanned, in order": of_curve(CODE, "from step 3", replanned=[None, STAIRS]),
    "a function": of_curve(code, FUNCTION),
    "a function for one of two": of_curve([LINE, code], FUNCTION),
    "a function by name": of_curve({"a": code, "*": LINE}, FUNCTION),
    "a product of a function": of_curve(LINE * code, FUNCTION),
    "replanned, a function": of_curve(CODE, FUNCTION, replanned=code),
}
FIRST, SECOND = {"a": CODE, "*": None}, [None, CODE]
# The code leaves other groups alone: "saved" drives all of its own.
LEFT_ALONE = {
    name: Run(
        of_curve(saved, "").start, lambda o, other=other: CurveSchedule(o, other, TARGET), "Linear"
    )
    for name, saved, other in (
        ("the second is left alone in the code", [LINE, CODE], FIRST),
        ("the other one, by name", SECOND, FIRST),
        ("the other one, in order", FIRST, SECOND),
    )
}


def of_plan(says: str, saved: Any, new: Any, expected: Expected | None = None) -> Run:
    """A run of an entry of a plan, beside another entry in the code."""
    return Run(
        lambda o: until_saved(from_plan(o, {TARGET: saved})),
        lambda o: from_plan(o, {TARGET: new}),
        says,
        expected,
    )


def torch_itself(scheduler: str, **settings: Any) -> Expected:
    """The rows of a scheduler on lr that stands where the run was saved, with the saved values."""

    def rows_of_torch(values: list[float]) -> list[list[float]]:
        plain = adamw(*({"lr": initial} for initial in INITIAL))
        reference = getattr(torch_lr, scheduler)(plain, **settings)
        reference.last_epoch, reference._step_count = SAVED_AT, SAVED_AT + 1
        for group, value in zip(plain.param_groups, values):
            group["lr"] = value
        return rows(reference, target="lr")

    return rows_of_torch


STEP = {"scheduler": "StepLR", "step_size": 2}
MILESTONES = {"scheduler": "MultiStepLR", "milestones": [2, 7, 7]}
CYCLE = {"base_lr": 0.125, "max_lr": 0.5, "step_size_up": 4, "cycle_momentum": False}
ONE = {"scheduler": "OneCycleLR", "max_lr": 0.5, "cycle_momentum": False, "total_steps": 20}
LINEAR = {"pct_start": 0.5, "anneal_strategy": "linear"}
TORCH = {
    says: of_plan(says, saved, {**saved, **new}, torch_itself(**{**saved, **new}))
    for says, saved, new in (
        ("gamma", STEP, {"gamma": 0.5}),
        ("step_size", STEP, {"step_size": 4}),
        ("milestones", MILESTONES, {"milestones": [2, 8]}),
        ("T_max", {"scheduler": "CosineAnnealingLR", "T_max": 12}, {"T_max": 16, "eta_min": 0.01}),
        ("total_iters", {"scheduler": "PolynomialLR", "power": 2.0}, {"total_iters": 12}),
        ("mode", {"scheduler": "CyclicLR", **CYCLE}, {"mode": "triangular2"}),
        ("total_steps", ONE, {**LINEAR, "total_steps": 25}),
    )
}


def rule(function: Callable[[float], float]) -> Make:
    return lambda o: SynchronousSchedule(
        [CurveSchedule(o, CODE), DerivedSchedule(o, function, TARGET)]
    )


def chain(*milestones: int) -> Any:
    parts = [{"scheduler": "ExponentialLR", "gamma": 0.5}, {**MILESTONES, "milestones": milestones}]
    return {"scheduler": "ChainedScheduler", "schedulers": parts}


def sequence(curve: Any, **last: float) -> Any:
    parts = [{"curve": to_dict(curve)}, {**STEP, **last}]
    return {"scheduler": "SequentialLR", "schedulers": parts, "milestones": [8]}


OTHERS = {
    "a rule": Run(
        lambda o: until_saved(rule(square)(o)), rule(abs), "<function square", along_code
    ),
    "milestones in a chain": of_plan("milestones", chain(2, 7, 7), chain(2, 8)),
    "a later part": of_plan("gamma", sequence(CODE), sequence(CODE, gamma=0.25)),
    "a curve": of_plan("Linear", sequence(LINE), sequence(CODE)),
}
RUNS = {**CURVES, **TORCH, **OTHERS}
POLICIES: list[Any] = ["code", "saved", "same"]
REMEDY = "To go on under the saved plan, write load_state_dict(state, plan='saved')"
REMEDY_FOR_CODE = "to go on under the saved plan, build the schedule with it"
# The order in which a run is built and loaded, and the kind of value in the groups.
LOADS: list[tuple[str, Any]] = [
    ("build, schedule", float),
    ("optimizer, build, schedule", float),
    ("build, optimizer, schedule", float),
    ("build, schedule, optimizer", float),
    ("build, schedule, optimizer", torch.tensor),
]


def as_saved(state: Any) -> Any:
    """The state as JSON has it; a copy if it holds a tensor or, in torch 2.0, a method."""
    try:
        return through_json(state)
    except TypeError:
        return copy.deepcopy(state)


@pytest.mark.parametrize(("run", "load"), crossed({**RUNS, **LEFT_ALONE}, LOADS))
def test_a_run_resumes_under_its_saved_plan(run: str, load: tuple[str, Any]) -> None:
    """With "saved", a run goes on as if it had not been stopped, bit for bit, and silently."""
    (start, code_has, says, _), (order, kind) = {**RUNS, **LEFT_ALONE}[run], load
    optimizer, again = two_groups(kind), two_groups(kind)
    schedule, expected = start(optimizer), rows(start(two_groups(kind)))
    saved, state = copy.deepcopy(optimizer.state_dict()), as_saved(schedule.state_dict())
    for policy in POLICIES:  # the same plan in the code
        equal = start(two_groups(kind))
        advance(equal, 3)
        equal.load_state_dict(state, plan=policy)
        assert rows(equal) == expected
    if says.startswith("<function"):
        return  # it is code, and so not in the state
    for action in order.split(", "):
        if action == "build":
            resumed = code_has(again)
        elif action == "optimizer":
            again.load_state_dict(saved)
        else:
            resumed.load_state_dict(state, plan="saved")
            assert held(again) == held(optimizer)
    assert repr(resumed) == repr(schedule)
    if isinstance(schedule, CurveSchedule):
        assert resumed.state_dict() == schedule.state_dict()
    assert rows(resumed) == expected


@pytest.mark.parametrize("run", RUNS)
def test_a_run_goes_on_under_the_plan_in_the_code(run: str, untouched: Untouched) -> None:
    """With "same", a difference raises. With "code", one warning shows both, and how to go on."""
    start, code_has, says, expected = RUNS[run]
    is_code, of_torch = says.startswith("<function"), says in TORCH
    optimizer, again = two_groups(), two_groups()
    state, resumed = as_saved(start(optimizer).state_dict()), code_has(again)
    before = repr(resumed), resumed.state_dict()
    refused = {"same": f"{says}.*, and the code has .*expected the same"}
    if is_code:
        refused["saved"] = "which is code"
    for policy, message in refused.items():
        with untouched(again), pytest.raises(ValueError, match=message):
            resumed.load_state_dict(state, plan=policy)
        assert (repr(resumed), resumed.state_dict()) == before
    match = f"'{TARGET}'.* was saved under .*{says}.* goes on under "
    with pytest.warns(UserWarning, match=match) as caught:
        resumed.load_state_dict(state)
    assert [warning.filename for warning in caught] == [__file__]
    assert (f"from the step after {SAVED_AT}. " in str(caught[0].message)) is not of_torch
    assert str(caught[0].message).endswith(REMEDY_FOR_CODE if is_code else REMEDY)
    assert held(again) == held(optimizer)  # until the next step
    if expected is not None:
        assert rows(resumed) == expected(held(optimizer))


# -- which groups are driven -----------------------------------------------------------------------

DRIVEN = {"ab": [0, 1], "a": [0], "b": [1], "": []}


def choosing(names: str, optimizer: Any) -> CurveSchedule:
    """The plan in the code, on the groups with these names."""
    where = None if names == "ab" else lambda group: group["name"] in names
    return CurveSchedule(optimizer, CODE, TARGET, where=where)


@pytest.mark.parametrize(
    ("saved", "code_has"),
    [("ab", "a"), ("a", "b"), ("b", "ab"), ("a", "a"), ("a", ""), ("", "a")],
)
def test_other_groups_than_the_saved_ones_never_go_on_in_silence(
    saved: str, code_has: str, untouched: Untouched
) -> None:
    """A state does not hold ``where=``: the groups that it chose have to be chosen again."""
    schedule = choosing(saved, two_groups())
    advance(schedule, 3)
    state = through_json(schedule.state_dict())
    differ = re.escape(f"drove the param groups {DRIVEN[saved]} when saved, and the code drives ")
    for policy in POLICIES:
        resumed = choosing(code_has, two_groups())
        if saved == code_has:
            resumed.load_state_dict(state, plan=policy)
        elif policy == "code":
            with pytest.warns(UserWarning, match=differ) as caught:
                resumed.load_state_dict(state)
            assert len(caught) == 1
        else:
            with untouched(resumed.optimizer), pytest.raises(ValueError, match=differ):
                resumed.load_state_dict(state, plan=policy)
            continue
        advance(resumed)
        expected = [code(4) * v if i in DRIVEN[code_has] else v for i, v in enumerate(INITIAL)]
        assert held(resumed.optimizer) == expected


# -- states that cannot be followed ----------------------------------------------------------------

DATA = {"kind": "Linear", "start": 1, "end": 0, "steps": 5}
FANCY, LACKS = {"kind": "Fancy"}, "cannot be read: .*'Fancy' is not a kind of curve"


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("origin", None, "missing .*'origin'"),
        ("absolute", None, "missing .*'absolute'"),
        ("curve", {**DATA, "steps": -5}, "cannot be read: .*steps: .* got -5"),
        ("curve", FANCY, LACKS),
        ("curve", [DATA, FANCY], LACKS),
        ("curve", {"a": FANCY, "*": None}, LACKS),
    ],
)
def test_a_saved_plan_that_cannot_be_read_says_why(
    key: str, value: Any, says: str, untouched: Untouched
) -> None:
    """The message says what is wrong with the data, or missing, and does not call it code."""
    schedule = in_code(two_groups())
    state = {**schedule.state_dict(), key: value}
    if value is None:
        del state[key]
    with untouched(schedule.optimizer), pytest.raises(ValueError, match=says):
        schedule.load_state_dict(state, plan="saved")


def test_a_state_of_version_1_takes_the_plan_in_the_code(untouched: Untouched) -> None:
    """Version 1 saved a ``LambdaLR`` without its plan, and knew no absolute values."""
    lambdas = torch_lr.LambdaLR(two_groups(), [code, code])
    advance(lambdas, SAVED_AT)
    state = lambdas.state_dict()
    for policy in POLICIES:
        resumed = CurveSchedule(two_groups(), CODE)
        resumed.load_state_dict(state, plan=policy)
        advance(resumed)
        assert resumed.get_last_lr() == [code(SAVED_AT + 1) * initial for initial in INITIAL]
    resumed = CurveSchedule(two_groups(), code, absolute=True)
    for policy, says in (("same", "expected the same plan"), ("saved", "which is code")):
        with untouched(resumed.optimizer), pytest.raises(ValueError, match=says):
            resumed.load_state_dict(state, plan=policy)
    with pytest.warns(UserWarning, match="goes on under .* as absolute values"):
        resumed.load_state_dict(state)
    assert resumed.last_epoch == SAVED_AT


def test_milestones_that_are_not_steps_are_refused(untouched: Untouched) -> None:
    """A key of the saved milestones that is not a number is named, and nothing moves."""
    schedule = TORCH["milestones"].start(two_groups())
    before = schedule.state_dict()
    state = {TARGET: {**before[TARGET], "milestones": {"soon": 1}}}
    says = r"'milestones' is .*soon.*; expected steps as keys"
    with untouched(schedule.optimizer), pytest.raises(ValueError, match=says):
        schedule.load_state_dict(state, plan="saved")
    assert schedule.state_dict() == before


@pytest.mark.parametrize("plan", ["Saved", "", "saved ", "file", None, True, 0, ["saved"]])
def test_any_other_policy_is_refused(plan: Any, untouched: Untouched) -> None:
    """A ``plan`` other than the three words is a ``ValueError``, and nothing is loaded."""
    optimizer = two_groups()
    curve = in_code(optimizer)
    derived = DerivedSchedule(optimizer, abs, "lr", of=TARGET)
    for schedule in (curve, derived, SynchronousSchedule([curve, derived])):
        state = schedule.state_dict()
        with untouched(optimizer), pytest.raises(ValueError, match="plan: expected one of"):
            schedule.load_state_dict(state, plan=plan)
        assert schedule.state_dict() == state


@pytest.mark.parametrize("policy", POLICIES)
def test_two_optimizers_load_together_or_not_at_all(policy: Any, untouched: Untouched) -> None:
    """If the plan of the last member is refused, no member of either optimizer has moved."""

    def start(lr: Any, last: Any) -> SynchronousSchedule:
        a, b = CurveSchedule(two_groups(), lr), CurveSchedule(two_groups(), last, TARGET)
        return SynchronousSchedule({"a": [a], "b": [b]})

    state = start(LINE, code if policy == "saved" else LINE).state_dict()
    resumed = start(LINE if policy == "same" else CODE, CODE)
    first, second = resumed.optimizers.values()
    before = copy.deepcopy(resumed.state_dict())
    with untouched(first), untouched(second), warnings.catch_warnings():
        warnings.simplefilter("error")
        error = UserWarning if policy == "code" else ValueError
        with pytest.raises(error, match=r"schedule of '[ab]/"):
            resumed.load_state_dict(state, plan=policy)
    assert resumed.state_dict() == before
