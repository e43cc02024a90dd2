"""``load_state_dict(state, plan=…)``: the plan that a run follows if the saved one differs."""

from __future__ import annotations

import copy
import io
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import pytest
import torch
from cases import crossed
from small_runs import Untouched, adamw, advance, ignore_epoch_deprecation, through_json
from torch.optim import lr_scheduler as torch_lr

from tsa_builtins.curves import Constant, Cosine, Linear, PiecewiseConstant, join
from tsa_core import (
    CurveSchedule,
    DerivedSchedule,
    SynchronousSchedule,
    arbitrary_schedule_factory,
    register_curves,
)

# torch < 2.1 warns of a deprecation of its own where it loads a tensor with weights_only.
pytestmark = [
    pytest.mark.filterwarnings("ignore:TypedStorage is deprecated:UserWarning"),
    ignore_epoch_deprecation,
]

TARGET = "weight_decay"
INITIAL = [0.5, 0.25]
SAVED_AT = 5


def two_groups(kind: Callable[[float], Any] = float) -> torch.optim.AdamW:
    """Two groups, in which lr and weight decay have the initial values above."""
    return adamw(*({"lr": v, TARGET: kind(v), "name": name} for name, v in zip("ab", INITIAL)))


def held(optimizer: Any, target: str = TARGET) -> list[Any]:
    return [group[target] for group in optimizer.param_groups]


def both_advance(one: Any, other: Any, steps: int) -> None:
    """The optimizers of two schedules hold the same values, at each of the next steps."""
    for _ in range(steps):
        assert held(other.optimizer) == held(one.optimizer)
        advance(one)
        advance(other)


def through_a_file(states: Any) -> Any:
    file = io.BytesIO()
    torch.save(states, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@dataclass(frozen=True)
class Halving:
    """A curve of a user, which is registered below. No schedule may ask where no run goes."""

    steps: float

    def __call__(self, t: float) -> float:
        assert t < 10**6
        return float(0.5 ** (t / self.steps))


def halving_to_dict(curve: Any) -> dict[str, Any]:
    if not isinstance(curve, Halving):
        raise TypeError(f"{curve!r} is not a Halving")
    return {"kind": "test_load_policies.Halving", **asdict(curve)}


def halving_from_dict(record: Mapping[str, Any]) -> Halving:
    if record["kind"] != "test_load_policies.Halving":
        raise ValueError(f"{record!r} is not the dict of a Halving")
    return Halving(record["steps"])


register_curves(halving_to_dict, halving_from_dict)

CODE, LINE, HALF = Linear(0.875, 0.375, 16), Linear(0.75, 0.25, 8), Constant(0.5)


def code(t: float) -> float:
    return 0.875 - t / 32


def in_code(optimizer: Any) -> CurveSchedule:
    return CurveSchedule(optimizer, CODE, TARGET)


class Run(NamedTuple):
    """A run that is saved; from step 3 on it follows ``replanned``, if that is given."""

    curve: Any
    absolute: bool = False
    replanned: Any = None

    def start(self, optimizer: Any) -> CurveSchedule:
        schedule = CurveSchedule(optimizer, self.curve, TARGET, absolute=self.absolute)
        if self.replanned is not None:
            advance(schedule, 3)
            schedule.replan(self.replanned)
        advance(schedule, SAVED_AT - int(schedule.last_epoch))
        return schedule


# Runs whose plan is data and differs from the one in the code.
RUNS = {
    "a different curve": Run(Cosine(0.75, 0.25, 8)),
    "a different number": Run(Linear(0.875, 0.375, 17)),
    "a join": Run(join([LINE, HALF * Linear(1, 0, 9)], [6])),
    "values": Run(CODE, absolute=True),
    "by name": Run({"a": LINE, "*": CODE}),
    "in order": Run([HALF, LINE]),
    "one left alone": Run([CODE, None]),
    "a user's curve": Run({"*": Halving(4)}),
    "replanned": Run(CODE, replanned=LINE),
    "replanned, same curve": Run(CODE, replanned=CODE),
    "replanned, values": Run(HALF, absolute=True, replanned={"b": LINE, "*": None}),
    "replanned, in order": Run(CODE, replanned=[None, PiecewiseConstant({0: 0.5, 4: 0.25})]),
}
# Runs whose plan is code.
CODED = {
    "a function": Run(code),
    "one of two": Run([LINE, code]),
    "by name": Run({"a": code, "*": LINE}),
    "a product": Run(LINE * code),
    "replanned": Run(CODE, replanned=code),
}
ALL_RUNS = {**RUNS, **{f"code, {name}": run for name, run in CODED.items()}}
POLICIES = ["code", "saved", "same"]
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


@pytest.mark.parametrize(("run", "load"), crossed(RUNS, LOADS))
def test_a_run_resumes_under_its_saved_plan(run: str, load: tuple[str, Any]) -> None:
    """With "saved", a run goes on as if it had not been stopped, bit for bit, and silently."""
    order, kind = load
    optimizer = two_groups(kind)
    schedule = RUNS[run].start(optimizer)
    saved = through_a_file({"o": optimizer.state_dict(), "s": schedule.state_dict()})
    saved["s"] = through_json(saved["s"])
    again = two_groups(kind)
    for action in order.split(", "):
        if action == "build":
            resumed = in_code(again)
        elif action == "optimizer":
            again.load_state_dict(saved["o"])
        else:
            resumed.load_state_dict(saved["s"], plan="saved")
            assert held(again) == held(optimizer)
    assert resumed.absolute is schedule.absolute
    assert resumed.curve == schedule.curve
    for _ in range(6):
        assert held(again) == held(optimizer)
        assert repr(resumed) == repr(schedule)
        assert resumed.state_dict() == schedule.state_dict()
        advance(schedule)
        advance(resumed)


@pytest.mark.parametrize(("run", "in_sync"), crossed(ALL_RUNS, [False, True]))
def test_a_run_goes_on_under_the_plan_in_the_code(run: str, in_sync: bool) -> None:
    """With "code", one warning shows both plans. The saved values hold until the next step."""
    optimizer, again = two_groups(), two_groups()
    schedule, resumed = ALL_RUNS[run].start(optimizer), in_code(again)
    state: Any = through_json(schedule.state_dict())
    whole: Any = SynchronousSchedule([resumed]) if in_sync else resumed
    with pytest.warns(UserWarning, match="was saved under .* and goes on under Linear") as caught:
        whole.load_state_dict({TARGET: state} if in_sync else state)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert f"'{TARGET}'" in str(caught[0].message)
    assert f"from the step after {SAVED_AT}" in str(caught[0].message)
    remedy = REMEDY_FOR_CODE if run.startswith("code, ") else REMEDY
    assert str(caught[0].message).endswith(remedy)
    assert held(again) == held(optimizer)
    assert resumed.curve is CODE
    assert not resumed.absolute
    for t in range(SAVED_AT + 1, SAVED_AT + 4):
        advance(whole)
        assert held(again) == [code(t) * initial for initial in INITIAL]


MUST_NOT_LOAD = [(run, "same") for run in ALL_RUNS.values()]
MUST_NOT_LOAD += [(run, "saved") for run in CODED.values()]


@pytest.mark.parametrize(("refused", "in_sync"), crossed(MUST_NOT_LOAD, [False, True]))
def test_a_plan_that_must_not_differ_or_is_code_is_refused(
    refused: tuple[Run, Any], in_sync: bool, untouched: Untouched
) -> None:
    """With "same", a difference raises, and with "saved" a plan that is code; nothing moves."""
    run, policy = refused
    state: Any = run.start(two_groups()).state_dict()
    optimizer = two_groups()
    schedule = in_code(optimizer)
    whole: Any = schedule
    if in_sync:
        whole = SynchronousSchedule([CurveSchedule(optimizer, CODE), schedule])
        state = {"lr": CurveSchedule(two_groups(), LINE).state_dict(), TARGET: state}
        if policy == "same":
            state["lr"] = whole.state_dict()["lr"]
    advance(whole)
    before = whole.state_dict(), schedule.curve
    named = f"'{TARGET}': it was saved under .*, and the code has Linear"
    match = named if policy == "same" else "which is code"
    with untouched(optimizer), pytest.raises(ValueError, match=match):
        whole.load_state_dict(state, plan=policy)
    assert (whole.state_dict(), schedule.curve) == before
    advance(whole)
    assert held(optimizer) == [code(2) * initial for initial in INITIAL]


@pytest.mark.parametrize(("run", "policy"), crossed(ALL_RUNS.values(), POLICIES))
def test_an_equal_plan_loads_silently(run: Run, policy: Any) -> None:
    """If the code follows the saved plan, every policy loads it without a warning or an error."""
    schedule, resumed = run.start(two_groups()), run.start(two_groups())
    advance(schedule, 3)
    resumed.load_state_dict(through_json(schedule.state_dict()), plan=policy)
    both_advance(schedule, resumed, 4)


def named_a(group: Any) -> bool:
    return bool(group["name"] == "a")


CHOSEN: dict[str, Callable[[Any], CurveSchedule]] = {
    "all": lambda o: CurveSchedule(o, CODE, TARGET),
    "a": lambda o: CurveSchedule(o, CODE, TARGET, where=named_a),
    "b": lambda o: CurveSchedule(o, CODE, TARGET, where=lambda group: not named_a(group)),
}
DRIVEN = {"all": [0, 1], "a": [0], "b": [1]}


@pytest.mark.parametrize(
    ("saved", "code_has", "policy"), crossed(CHOSEN, CHOSEN, [*POLICIES, None])
)
def test_other_groups_than_the_saved_ones_never_go_on_in_silence(
    saved: str, code_has: str, policy: Any, untouched: Untouched
) -> None:
    """A state does not hold ``where=``: the groups that it chose have to be chosen again."""
    schedule, again = CHOSEN[saved](two_groups()), two_groups()
    advance(schedule, 3)
    state, resumed = through_json(schedule.state_dict()), CHOSEN[code_has](again)
    chosen = {} if policy is None else {"plan": policy}
    differ = re.escape(f"drove the param groups {DRIVEN[saved]} when saved, and the code drives ")
    if saved == code_has:
        resumed.load_state_dict(state, **chosen)
        both_advance(schedule, resumed, 3)
    elif policy in ("saved", "same"):
        with untouched(again), pytest.raises(ValueError, match=differ):
            resumed.load_state_dict(state, **chosen)
    else:
        with pytest.warns(UserWarning, match=differ) as caught:
            resumed.load_state_dict(state, **chosen)
        assert len(caught) == 1
        advance(resumed)
        expected = [code(4) * v if i in DRIVEN[code_has] else v for i, v in enumerate(INITIAL)]
        assert held(again) == expected


@pytest.mark.parametrize("kind", [float, torch.tensor])
def test_a_group_that_only_the_saved_plan_drives_gets_its_saved_value(kind: Any) -> None:
    """A load writes into the groups of both plans, the one in the code and the saved one."""
    both, first, second = [LINE, CODE], {"a": CODE, "*": None}, [None, CODE]
    for curves, code_has in ((both, first), (second, first), (first, second)):
        optimizer, again = two_groups(kind), two_groups(kind)
        schedule = Run(curves).start(optimizer)
        resumed = CurveSchedule(again, code_has, TARGET)
        resumed.load_state_dict(through_json(schedule.state_dict()), plan="saved")
        assert held(again) == held(optimizer)
        assert resumed.base_lrs == schedule.base_lrs
        both_advance(schedule, resumed, 4)


# -- states of earlier versions --------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "entry"), crossed(POLICIES, ["origin", "absolute"]))
def test_a_state_without_what_the_schedule_follows_is_refused(
    policy: Any, entry: str, untouched: Untouched
) -> None:
    """Every published state has these entries, and without them values could be multiplied."""
    optimizer = two_groups()
    schedule = Run(LINE).start(optimizer)
    state = {key: each for key, each in schedule.state_dict().items() if key != entry}
    with untouched(optimizer), pytest.raises(ValueError, match=f"missing .*'{entry}'"):
        schedule.load_state_dict(state, plan=policy)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_state_of_version_1_takes_the_plan_in_the_code(policy: Any) -> None:
    """Version 1 saved a ``LambdaLR``, whose state does not have the plan."""
    optimizer = two_groups()
    lambdas = torch_lr.LambdaLR(optimizer, [code, code])
    advance(lambdas, SAVED_AT)
    again = two_groups()
    resumed = CurveSchedule(again, CODE)
    resumed.load_state_dict(lambdas.state_dict(), plan=policy)
    advance(resumed)
    assert held(again, "lr") == [code(SAVED_AT + 1) * initial for initial in INITIAL]


def test_a_state_of_version_1_is_another_plan_for_absolute_values(untouched: Untouched) -> None:
    """Version 1 knew multipliers alone."""
    optimizer = two_groups()
    lambdas = torch_lr.LambdaLR(optimizer, [code, code])
    advance(lambdas, SAVED_AT)
    again = two_groups()
    schedule = CurveSchedule(again, code, absolute=True)
    with untouched(again), pytest.raises(ValueError, match="expected the same plan"):
        schedule.load_state_dict(lambdas.state_dict(), plan="same")
    with untouched(again), pytest.raises(ValueError, match="which is code"):
        schedule.load_state_dict(lambdas.state_dict(), plan="saved")
    with pytest.warns(UserWarning, match="goes on under .* as absolute values"):
        schedule.load_state_dict(lambdas.state_dict())
    assert schedule.last_epoch == SAVED_AT


@pytest.mark.parametrize(
    ("saved", "named"),
    [
        ({"kind": "Linear", "start": 1, "end": 0, "steps": -5}, "steps: .* got -5"),
        ({"kind": "Fancy"}, "'Fancy' is not a kind of curve"),
        ([{"kind": "Constant", "value": 1}, {"kind": "Fancy"}], "'Fancy' is not a kind of curve"),
        ({"a": {"kind": "Fancy"}, "*": None}, "'Fancy' is not a kind of curve"),
    ],
)
def test_a_saved_plan_that_cannot_be_read_says_why(
    saved: Any, named: str, untouched: Untouched
) -> None:
    """The message says what is wrong with the data, and does not call it code."""
    optimizer = two_groups()
    schedule = CurveSchedule(optimizer, LINE)
    state = {**schedule.state_dict(), "curve": saved}
    with untouched(optimizer), pytest.raises(ValueError, match=f"cannot be read: .*{named}"):
        schedule.load_state_dict(state, plan="saved")


# -- schedulers in torch ---------------------------------------------------------------------------


def cyclic(proxy: Any, **settings: Any) -> Any:
    return torch_lr.CyclicLR(proxy, 0.125, 0.5, 4, cycle_momentum=False, **settings)


def one_cycle(proxy: Any, **settings: Any) -> Any:
    return torch_lr.OneCycleLR(proxy, 0.5, cycle_momentum=False, **settings)


# The scheduler that is saved, the one in the code, and a setting that differs.
TORCH: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], str]] = {
    "gamma": (lambda o: torch_lr.StepLR(o, 2), lambda o: torch_lr.StepLR(o, 2, 0.5), "gamma"),
    "step_size": (lambda o: torch_lr.StepLR(o, 3), lambda o: torch_lr.StepLR(o, 4), "step_size"),
    "milestones": (
        lambda o: torch_lr.MultiStepLR(o, [2, 7, 7], 0.5),
        lambda o: torch_lr.MultiStepLR(o, [2, 8], 0.5),
        "milestones",
    ),
    "T_max": (
        lambda o: torch_lr.CosineAnnealingLR(o, 12, 0.01),
        lambda o: torch_lr.CosineAnnealingLR(o, 16, 0.02),
        "T_max",
    ),
    "total_iters": (
        lambda o: torch_lr.PolynomialLR(o, 9, 2.0),
        lambda o: torch_lr.PolynomialLR(o, 12),
        "total_iters",
    ),
    "mode": (cyclic, lambda o: cyclic(o, mode="triangular2"), "mode"),
    "pct_start": (
        lambda o: one_cycle(o, total_steps=20),
        lambda o: one_cycle(o, total_steps=25, pct_start=0.5, anneal_strategy="linear"),
        "total_steps",
    ),
}


def compound(kind: str, gamma: float, curve: Any) -> Callable[[Any], Any]:
    def chained(proxy: Any) -> Any:
        parts = [torch_lr.ExponentialLR(proxy, 0.5), torch_lr.StepLR(proxy, 3, gamma)]
        return torch_lr.ChainedScheduler(parts)

    def sequence(proxy: Any) -> Any:
        parts = [CurveSchedule(proxy, curve), torch_lr.StepLR(proxy, 1, gamma)]
        return torch_lr.SequentialLR(proxy, parts, [8])

    return chained if kind == "chained" else sequence


COMPOUNDS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], str]] = {
    "chained": (compound("chained", 0.5, LINE), compound("chained", 0.25, LINE), "gamma"),
    "a torch scheduler later": (compound("", 0.5, CODE), compound("", 0.25, CODE), "gamma"),
    "a curve": (compound("", 0.5, LINE), compound("", 0.5, CODE), "Linear"),
}


def in_sync(make: Callable[[Any], Any], optimizer: Any) -> SynchronousSchedule:
    return SynchronousSchedule(
        [arbitrary_schedule_factory(optimizer, make, schedule_target=TARGET)]
    )


@pytest.mark.parametrize("changed", [*TORCH, *COMPOUNDS])
def test_the_plan_of_a_torch_scheduler_is_its_settings(changed: str, untouched: Untouched) -> None:
    """Its saved settings go on, or those in the code with a warning, or a difference raises."""
    saved, new, named = {**TORCH, **COMPOUNDS}[changed]
    optimizer = two_groups()
    schedule = in_sync(saved, optimizer)
    advance(schedule, SAVED_AT)
    state, values = copy.deepcopy(schedule.state_dict()), held(optimizer)
    following = []
    for _ in range(6):
        advance(schedule)
        following.append(held(optimizer))

    again = two_groups()
    resumed = in_sync(new, again)
    before = repr(resumed.state_dict())
    with untouched(again), pytest.raises(ValueError, match=f"{named}.*expected the same"):
        resumed.load_state_dict(state, plan="same")
    assert repr(resumed.state_dict()) == before

    resumed.load_state_dict(state, plan="saved")
    for each in [values, *following]:
        assert held(again) == each
        advance(resumed)

    again = two_groups()
    resumed = in_sync(new, again)
    with pytest.warns(UserWarning, match=f"was saved under .*{named}.*goes on under") as caught:
        resumed.load_state_dict(state)
    assert len(caught) == 1
    assert held(again) == values
    if changed in TORCH:  # torch itself, from the saved value on
        plain = torch.optim.SGD(
            {"params": [torch.nn.Parameter(torch.ones(1))], "lr": v} for v in INITIAL
        )
        reference = new(plain)
        reference.last_epoch, reference._step_count = SAVED_AT, SAVED_AT + 1
        for group, value in zip(plain.param_groups, values):
            group["lr"] = value
        for _ in range(6):
            assert held(again) == held(plain, "lr")
            advance(resumed)
            advance(reference)
    for policy in POLICIES:  # no difference
        in_sync(saved, two_groups()).load_state_dict(state, plan=policy)


@pytest.mark.parametrize("changed", ["gamma", "chained"])
def test_the_warning_of_a_torch_scheduler_ends_with_what_to_write(changed: str) -> None:
    """It says how to go on under the saved settings, and that is silent."""
    saved, new, _ = {**TORCH, **COMPOUNDS}[changed]
    state = copy.deepcopy(in_sync(saved, two_groups()).state_dict())
    with pytest.warns(UserWarning, match="goes on under") as caught:
        in_sync(new, two_groups()).load_state_dict(copy.deepcopy(state))
    assert str(caught[0].message).endswith(f". {REMEDY}")
    in_sync(new, two_groups()).load_state_dict(state, plan="saved")


MILESTONES: list[tuple[list[int], Any]] = [([2, 8], "saved")]
MILESTONES += [([2, 7, 7], policy) for policy in POLICIES]


@pytest.mark.parametrize(("load", "part"), crossed(MILESTONES, [False, True]))
def test_milestones_go_through_json(load: tuple[list[int], Any], part: bool) -> None:
    """JSON makes strings of the milestones of a ``MultiStepLR``, and the run has them as steps."""

    def make(steps: list[int]) -> Callable[[Any], Any]:
        def build(proxy: Any) -> Any:
            schedule = torch_lr.MultiStepLR(proxy, steps, 0.5)
            return torch_lr.ChainedScheduler([schedule]) if part else schedule

        return build

    (milestones, policy), again = load, two_groups()
    schedule, resumed = in_sync(make([2, 7, 7]), two_groups()), in_sync(make(milestones), again)
    advance(schedule, SAVED_AT)
    state = through_json(schedule.state_dict())
    resumed.load_state_dict(state, plan=policy)
    advance(resumed, 4)
    assert held(again) == [0.5**3 * initial for initial in INITIAL]
    resumed.load_state_dict(through_json(resumed.state_dict()), plan="same")


def test_milestones_that_are_not_steps_are_refused() -> None:
    """A key of the saved milestones that is not a number is named, and nothing moves."""
    optimizer = two_groups()
    schedule = in_sync(lambda proxy: torch_lr.MultiStepLR(proxy, [2, 7], 0.5), optimizer)
    advance(schedule, 3)
    before = held(optimizer)
    state = schedule.state_dict()
    state[TARGET] = {**state[TARGET], "milestones": {"soon": 1}}
    with pytest.raises(ValueError, match=r"'milestones' is .*soon.*; expected steps as keys"):
        schedule.load_state_dict(state, plan="saved")
    assert held(optimizer) == before
    advance(schedule, 5)
    assert held(optimizer) == [0.25 * initial for initial in INITIAL]


def test_a_replanned_part_of_a_sequence_resumes() -> None:
    """The curve of a part that was replanned in its turn is in the state of the sequence."""
    schedule, resumed = (in_sync(compound("", 0.5, CODE), two_groups()) for _ in range(2))
    advance(schedule, 3)
    schedule.schedules[TARGET]._schedulers[0].replan(LINE)
    advance(schedule, 2)
    resumed.load_state_dict(through_json(schedule.state_dict()), plan="saved")
    both_advance(schedule, resumed, 6)


# -- refused, or all together ----------------------------------------------------------------------


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


def square(multiple: float) -> float:
    return multiple**2


def test_the_rule_of_a_derived_schedule_is_code(untouched: Untouched) -> None:
    """A different rule is never taken from a state, and an equal one loads silently."""

    def put(optimizer: Any, rule: Callable[[float], float]) -> SynchronousSchedule:
        lr = CurveSchedule(optimizer, CODE)
        return SynchronousSchedule([lr, DerivedSchedule(optimizer, rule, TARGET)])

    optimizer, again = two_groups(), two_groups()
    schedule, resumed = put(optimizer, square), put(again, abs)
    advance(schedule, SAVED_AT)
    state = through_json(schedule.state_dict())
    before = resumed.state_dict()
    for policy, named in (
        ("saved", "its rule was .* which is code"),
        ("same", "expected the same plan"),
    ):
        with untouched(again), pytest.raises(ValueError, match=named):
            resumed.load_state_dict(state, plan=policy)
        assert resumed.state_dict() == before
        equal = put(two_groups(), square)
        equal.load_state_dict(state, plan=policy)
        assert equal.state_dict() == state
    with pytest.warns(UserWarning, match="function square.* goes on under .*abs"):
        resumed.load_state_dict(state)
    assert held(again) == [code(SAVED_AT) ** 2 * initial for initial in INITIAL]
    advance(resumed)
    assert held(again) == [code(SAVED_AT + 1) * initial for initial in INITIAL]


@pytest.mark.parametrize("policy", ["saved", "same", "warnings are errors"])
def test_two_optimizers_load_together_or_not_at_all(policy: Any, untouched: Untouched) -> None:
    """If the plan of the last member is refused, no member of either optimizer has moved."""

    def put(first: Any, second: Any, lr: Any, last: Any) -> SynchronousSchedule:
        step = arbitrary_schedule_factory(
            first, lambda proxy: torch_lr.StepLR(proxy, 2), schedule_target=TARGET
        )
        curves = [CurveSchedule(second, lr), CurveSchedule(second, last, TARGET)]
        return SynchronousSchedule({"a": [CurveSchedule(first, lr), step], "b": curves})

    schedule = put(two_groups(), two_groups(), LINE, code if policy == "saved" else LINE)
    for optimizer in schedule.optimizers.values():
        optimizer.step()
    schedule.step()
    state = schedule.state_dict()
    first, second = two_groups(), two_groups()
    resumed = put(first, second, LINE if policy == "same" else CODE, CODE)
    before = copy.deepcopy(resumed.state_dict())
    with untouched(first), untouched(second), warnings.catch_warnings():
        warnings.simplefilter("error")
        error = UserWarning if policy == "warnings are errors" else ValueError
        with pytest.raises(error, match=r"schedule of '[ab]/"):
            resumed.load_state_dict(state, plan="code" if error is UserWarning else policy)
    assert resumed.state_dict() == before

    other = put(two_groups(), two_groups(), LINE, LINE)
    resumed.load_state_dict(other.state_dict(), plan="saved")
    assert resumed.state_dict() == other.state_dict()
