"""Optimizers and plans for the tests of plans, and random plans."""

from __future__ import annotations

import json
from typing import Any

import torch
from closed_forms import NAMES
from curve_forms import COMBINATIONS, shapes
from hypothesis import strategies as st
from torch.optim.lr_scheduler import ReduceLROnPlateau

from tsa_builtins.curves import Power, clip, to_dict
from tsa_builtins.schedules.registry import BUILT_INS, plan_arguments
from tsa_core import torch_schedulers

NAMES_OF_GROUPS = ("backbone", "head")
LINE = {"kind": "Linear", "start": 1, "end": 0, "steps": 10}
HALF = {"kind": "Constant", "value": 0.5}


def make_optimizer() -> torch.optim.AdamW:
    """An AdamW with two param groups, whose initial values differ."""
    parameters = [torch.nn.Parameter(torch.ones(2)) for _ in NAMES_OF_GROUPS]
    groups = [
        {"params": [each], "name": name, "lr": 0.1 * i, "weight_decay": 0.2 * i}
        for i, (name, each) in enumerate(zip(NAMES_OF_GROUPS, parameters), 1)
    ]
    return torch.optim.AdamW(groups)


def values_along(schedule: Any, steps: int = 30) -> list[Any]:
    """The values of all members, at each step from the present one on."""
    takes_metrics = any(isinstance(each, ReduceLROnPlateau) for each in schedule.schedules.values())
    values = [schedule.get_last_schedules()]
    for optimizer in {each.optimizer for each in schedule.members}:
        optimizer.step()
    for t in range(steps):
        schedule.step(*([1.0 + t % 3] if takes_metrics else []))
        values.append(schedule.get_last_schedules())
    return values


# -- random plans ----------------------------------------------------------------------------------

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
    copied: dict[str, Any] = json.loads(json.dumps(plan))  # no dict stands twice in it
    return copied
