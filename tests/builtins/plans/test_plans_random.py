"""Random plans: to schedules and back, and broken in one place."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest
from cases import examples
from closed_forms import NAMES
from curve_forms import COMBINATIONS, shapes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plan_forms import NAMES_OF_GROUPS, make_optimizer, values_along
from small_runs import Untouched, ignore_epoch_deprecation, through_json
from test_plan_formats import is_valid

from tsa_builtins import from_plan, to_plan
from tsa_builtins.curves import Power, clip, to_dict
from tsa_builtins.schedules.registry import BUILT_INS, plan_arguments
from tsa_core import torch_schedulers

# A random W can be an initial value by chance. torch's SequentialLR passes an epoch, and warns.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*is the initial value of"),
    ignore_epoch_deprecation,
]

TARGETS = ("lr", "weight_decay", "eps", "clip", "temperature")
OWN = ("clip", "temperature")  # not an entry of AdamW
NEVER_NEGATIVE = ("lr", "weight_decay")

positive = st.floats(0.01, 4).map(lambda x: round(x, 3))
counts = st.integers(1, 20)
combined = st.one_of(shapes, *(kind.pairs(shapes) for kind in COMBINATIONS.values()))


@st.composite
def records(draw: st.DrawFn, may_be_negative: bool) -> dict[str, Any]:
    pair = draw(combined)
    return to_dict(pair.curve if may_be_negative or pair.low >= 0 else clip(pair.curve, 0, 4))


absolute = st.fixed_dictionaries({}, optional={"absolute": st.booleans()})


def curves(may_be_negative: bool) -> st.SearchStrategy[dict[str, Any]]:
    a_curve = records(may_be_negative)
    of_groups = st.one_of(
        st.fixed_dictionaries({"backbone": a_curve, "*": st.none() | a_curve}),
        st.fixed_dictionaries({name: st.none() | a_curve for name in NAMES_OF_GROUPS}),
        st.lists(st.none() | a_curve, min_size=2, max_size=2),
    )
    return st.builds(lambda curve, more: {"curve": curve, **more}, a_curve | of_groups, absolute)


@st.composite
def built_ins(draw: st.DrawFn) -> dict[str, Any]:
    name, warmup, rest = draw(st.sampled_from(NAMES)), draw(counts), draw(st.integers(0, 20))
    values: dict[str, Any] = {
        "num_warmup_steps": st.just(warmup),
        "num_training_steps": st.just(warmup + rest),
        "num_decay_steps": st.integers(0, rest),
        "decay": st.sampled_from(["Cosine", ["Polynomial", 1.5]]),
        "skip_zero": st.booleans(),
        "absolute": st.booleans(),
    }
    needed, optional = {}, {}
    for key, argument in plan_arguments(BUILT_INS[name]).items():
        of_kind = needed if argument.default is argument.empty else optional
        of_kind[key] = values.get(key, positive)
    return {"schedule": name, **draw(st.fixed_dictionaries(needed, optional=optional))}


shares = st.floats(0.1, 0.9).map(lambda x: round(x, 3))
per_group = positive | st.lists(positive, min_size=2, max_size=2)
# What is drawn for the settings of torch; any other that is not a word has its default.
SETTINGS: dict[str, Any] = {
    **dict.fromkeys(["step_size", "step_size_up", "anneal_epochs"], counts),
    **dict.fromkeys(["total_iters", "T_max", "T_0"], counts),
    **dict.fromkeys(["gamma", "factor", "start_factor", "end_factor", "eta_min"], shares),
    **dict.fromkeys(["power", "div_factor", "final_div_factor"], positive),
    **dict.fromkeys(["base_lr", "max_lr", "min_lr", "swa_lr"], per_group),
    "step_size_down": counts | st.none(),
    "milestones": st.lists(counts, max_size=4),
    "T_mult": st.integers(1, 3),
    "patience": st.integers(0, 3),
    "pct_start": st.floats(0.1, 0.4).map(lambda x: round(x, 3)),
    "three_phase": st.booleans(),
    "total_steps": st.integers(40, 90),
    "cycle_momentum": st.just(False),
}
ALWAYS = {"total_steps", "cycle_momentum"}  # torch needs them, although they have defaults


def scheduler(name: str) -> Any:
    needed, optional = {}, {}
    for key, setting in torch_schedulers()[name].settings.items():
        values = st.sampled_from(setting.words) if setting.words else SETTINGS.get(key)
        if values is not None:
            (needed if setting.required or key in ALWAYS else optional)[key] = values
    drawn = st.fixed_dictionaries(needed, optional=optional)
    return drawn.map(lambda settings: {"scheduler": name, **settings})


# In a chain, torch's recurrence of CosineAnnealingLR can lead below 0, which is refused.
in_chains = st.one_of(
    *map(scheduler, ["StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR"]),
    *map(scheduler, ["PolynomialLR", "CosineAnnealingWarmRestarts"]),
)
simple = in_chains | scheduler("CosineAnnealingLR")
alone = st.one_of(map(scheduler, ["CyclicLR", "OneCycleLR", "ReduceLROnPlateau", "SWALR"]))


@st.composite
def sequences(draw: st.DrawFn) -> dict[str, Any]:
    parts = draw(st.lists(simple, min_size=1, max_size=3))
    milestones = sorted(draw(st.sets(counts, min_size=len(parts) - 1, max_size=len(parts) - 1)))
    return {"scheduler": "SequentialLR", "schedulers": parts, "milestones": milestones}


chains = st.lists(in_chains, min_size=1, max_size=3).map(
    lambda parts: {"scheduler": "ChainedScheduler", "schedulers": parts}
)
schedulers = st.one_of(simple, alone, sequences(), chains)


# A power would not exist where a random curve is 0 or negative.
RULES = [{}, {"power": 1}, {"rule": to_dict(clip(0.5 * Power(1), -1, 1))}]
followers = st.builds(lambda rule, more: {**rule, **more}, st.sampled_from(RULES), absolute)


@st.composite
def plans(draw: st.DrawFn) -> dict[str, Any]:
    plan = {
        target: draw(curves(target not in NEVER_NEGATIVE) | built_ins() | schedulers)
        for target in draw(st.lists(st.sampled_from(TARGETS), min_size=1, unique=True))
    }
    # No circles: what is followed follows nothing itself.
    followed: set[str] = set()
    for target in plan:
        sources = [s for s in TARGETS[:3] if s != target and "follows" not in plan.get(s, {})]
        if target in NEVER_NEGATIVE:
            sources = [source for source in sources if source in NEVER_NEGATIVE]
        if target not in followed and draw(st.integers(0, 3)) == 0:
            source = draw(st.sampled_from(sources)) if sources else "betas[1]"
            plan[target] = {"follows": source, **draw(followers)}
            if plan.get(source, {}).get("absolute"):  # multiples of values are doubted
                plan[target]["absolute"] = True
            followed.add(source)
    for target in OWN:
        if target in plan:
            plan[target]["default_value"] = draw(positive)
    copied: dict[str, Any] = through_json(plan)  # no dict stands twice in it
    return copied


# -- to schedules and back -------------------------------------------------------------------------

many = settings(
    max_examples=examples(200),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@many
@given(plan=plans())
def test_a_plan_comes_back(plan: dict[str, Any]) -> None:
    """The plan of a plan's schedule gives the same values at every step, and the same plan."""
    assert is_valid(plan)  # of the JSON Schema
    schedule = from_plan(make_optimizer(), plan)
    assert schedule.schedule_names == list(plan)
    described = to_plan(schedule)
    assert through_json(described) == described
    again = from_plan(make_optimizer(), described)
    assert to_plan(again) == described
    assert values_along(again) == values_along(schedule)
    assert to_plan(schedule) == described  # a plan does not depend on the position


# -- corruption ------------------------------------------------------------------------------------


def places(value: Any, path: str = "") -> Iterator[tuple[Any, Any, str]]:
    """Every place in a plan: what holds it, its key, and its path."""
    is_list = isinstance(value, list)
    if is_list or isinstance(value, dict):
        for key in range(len(value)) if is_list else value:
            inner = f"{path}[{key}]" if is_list else f"{path}.{key}".removeprefix(".")
            yield value, key, inner
            yield from places(value[key], inner)


JUNK = [None, True, "1e3", "Linaer", "", -7, 0, 1e400, float("nan"), [], {}, ["x"], {"x": 1}]


def break_at(holder: Any, key: Any, draw: Any) -> None:
    how = draw(st.sampled_from(["remove", "misspell", "add", "put junk", "make text"]))
    if how == "remove":
        del holder[key]
    elif how == "put junk":
        holder[key] = draw(st.sampled_from(JUNK))
    elif how == "make text":
        holder[key] = repr(holder[key])
    elif isinstance(holder, list):
        holder.insert(key, draw(st.sampled_from(JUNK)))
    elif how == "add":
        holder["stesp"] = draw(st.sampled_from(JUNK))
    else:
        entries = {(f"{each}x" if each == key else each): value for each, value in holder.items()}
        holder.clear()
        holder.update(entries)


def is_near(path: str, place: str) -> bool:
    """True if ``path`` is the place, holds it, or is beside it under the same target."""
    if place.startswith(path):
        return True
    holder = re.sub(r"(\.[^.\[]+)?(\[\d+\])+$|\.[^.\[]+$", "", place)
    # Beside a target there are only other targets, and the one that was added.
    return path.startswith((place, "stesp") if holder == place else holder)


@pytest.mark.filterwarnings("ignore::UserWarning")  # a number in a wrong place may be doubted
@many
@given(plan=plans(), data=st.data())
def test_a_broken_plan_is_refused_at_its_path(
    plan: dict[str, Any], data: st.DataObject, untouched: Untouched
) -> None:
    """A plan with a fault is refused with the fault's path and nothing touched, or is valid."""
    broken = copy.deepcopy(plan)
    holder, key, place = data.draw(st.sampled_from(list(places(broken))))
    break_at(holder, key, data.draw)
    try:
        schedule = from_plan(make_optimizer(), broken)
    except (TypeError, ValueError, KeyError, RuntimeError) as error:
        path, colon, _ = str(error.args[0]).partition(": ")
        assert colon
        assert path == "plan" or is_near(path, place), (path, place)
        optimizer = make_optimizer()
        with untouched(optimizer), pytest.raises(type(error)):
            from_plan(optimizer, broken)
    else:
        assert list(broken) == schedule.schedule_names
        to_plan(schedule)


def test_the_proof_has_no_blind_spot() -> None:
    """The helper of the test above takes a neighbour for the place, and no other member."""
    assert is_near("clip.curve.steps", "clip.curve.stesp")
    assert is_near("clip", "clip.curve")
    assert is_near("clip.curve.boundaries", "clip.curve.curves[1]")
    assert not is_near("lr", "clip.curve")
    assert not is_near("lr.curve", "clip")
    assert not is_near("clip.curve.curves[0]", "clip.curve.curves[1].steps")
