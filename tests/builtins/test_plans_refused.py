"""Mistakes in a plan: each is refused with its path, and the message's remedy works."""

from __future__ import annotations

import copy
import math
import re
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from plan_forms import make_optimizer

from tsa_builtins import curves, from_plan
from tsa_builtins.curves import from_dict
from tsa_core import ProxyOptimizer

Untouched = Callable[[Any], AbstractContextManager[None]]

LINE = {"kind": "Linear", "start": 1, "end": 0, "steps": 10}
HALF = {"kind": "Constant", "value": 0.5}

PLAN: dict[str, Any] = {
    "lr": {
        "schedule": "cosine_annealing_with_warmup",
        "warmup_to_value": 1.0,
        "anneal_to_value": 0.1,
        "num_warmup_steps": 500,
        "num_training_steps": 10000,
    },
    "weight_decay": {"absolute": True, "curve": {**LINE, "kind": "Cosine"}},
    "betas[0]": {
        "curve": {"backbone": {"kind": "Piecewise", "points": {0: 1.0, 9: 0.9}}, "*": None}
    },
    "clip": {
        "default_value": 10.0,
        "curve": {"kind": "Join", "curves": [HALF, LINE], "boundaries": [30]},
    },
    "eps": {"scheduler": "ExponentialLR", "gamma": 0.9},
    "noise": {
        "default_value": 1.0,
        "scheduler": "SequentialLR",
        "schedulers": [{"scheduler": "LinearLR", "start_factor": 0.5}, {"curve": LINE}],
        "milestones": [4],
    },
    "heat": {"default_value": 1.0, "scheduler": "OneCycleLR", "max_lr": 1, "total_steps": 9,
             "cycle_momentum": False},
}  # fmt: skip

# A fault is where it is and what is put there. The remedy is where the message sends, and what it
# says to write. REMOVED takes an entry away.
REMOVED = object()
Place = tuple[Any, ...]
Fault = tuple[Place, Any, type[Exception], str, dict[Place, Any]]


def moved(place: Place, new: str, value: Any) -> dict[Place, Any]:
    """The remedy for a misspelt entry: the same under the name that was meant."""
    return {place: REMOVED, (*place[:-1], new): value}


FAULTS: dict[str, Fault] = {
    "target": (
        ("weigth_decay",), {"curve": LINE}, KeyError,
        "weigth_decay: 'weigth_decay' is not in param groups 0, 1; did you mean 'weight_decay'",
        moved(("weigth_decay",), "weight_decay", {"curve": LINE}),
    ),
    "target of one's own": (
        ("clip", "default_value"), REMOVED, KeyError,
        "does not read, write default_value in this entry",
        {("clip", "default_value"): 10.0},
    ),
    "way": (
        ("eps", "shedule"), "constant_schedule", ValueError,
        "eps.shedule: ExponentialLR has no such entry; it has 'gamma'",
        {("eps", "shedule"): REMOVED},
    ),
    "only way": (
        ("lr",), {"shedule": "constant_schedule", "value": 1}, ValueError,
        "lr.shedule: not an entry of a plan; did you mean 'schedule'?",
        moved(("lr", "shedule"), "schedule", "constant_schedule"),
    ),
    "two ways": (
        ("eps", "curve"), LINE, ValueError,
        "eps: got 'scheduler' and 'curve'; write one of them only",
        {("eps", "curve"): REMOVED},
    ),
    "no way": (
        ("eps",), {"gamma": 0.9}, ValueError,
        "eps: expected one of ['schedule', 'scheduler', 'curve'], got ['gamma']",
        {("eps", "scheduler"): "ExponentialLR"},
    ),
    "not an entry": (
        ("eps",), 0.9, TypeError, "eps: expected a dict with 'schedule', 'scheduler' or 'curve', "
        "got 0.9 (float)", {("eps",): {"curve": HALF}},
    ),
    "built-in": (
        ("lr", "schedule"), "cosine_anealing_with_warmup", ValueError,
        "lr.schedule: 'cosine_anealing_with_warmup' is not a built-in; did you mean "
        "'cosine_annealing_with_warmup'?",
        {("lr", "schedule"): "cosine_annealing_with_warmup"},
    ),
    "torch's name for a built-in": (
        ("eps",), {"schedule": "ExponentialLR", "gamma": 0.9}, ValueError,
        "eps.schedule: 'ExponentialLR' goes under 'scheduler'; write scheduler: ExponentialLR",
        moved(("eps", "schedule"), "scheduler", "ExponentialLR"),
    ),
    "a built-in's name for torch's": (
        ("eps",), {"scheduler": "constant_schedule", "value": 0.5}, ValueError,
        "eps.scheduler: 'constant_schedule' goes under 'schedule'; "
        "write schedule: constant_schedule",
        moved(("eps", "scheduler"), "schedule", "constant_schedule"),
    ),
    "torch scheduler": (
        ("eps", "scheduler"), "ExponetialLR", ValueError,
        "eps.scheduler: 'ExponetialLR' is not a torch scheduler; did you mean 'ExponentialLR'?",
        {("eps", "scheduler"): "ExponentialLR"},
    ),
    "argument": (
        ("lr", "num_warmup_step"), 500, ValueError,
        "lr.num_warmup_step: cosine_annealing_with_warmup has no such entry; it has "
        "'warmup_to_value', ",
        {("lr", "num_warmup_step"): REMOVED},
    ),
    "only argument": (
        ("eps",), {"scheduler": "ExponentialLR", "gama": 0.9}, ValueError,
        "eps.gama: ExponentialLR has no such entry; did you mean 'gamma'?",
        moved(("eps", "gama"), "gamma", 0.9),
    ),
    "missing argument": (
        ("lr", "anneal_to_value"), REMOVED, ValueError,
        "lr: cosine_annealing_with_warmup needs 'anneal_to_value'",
        {("lr", "anneal_to_value"): 0.1},
    ),
    "missing setting": (
        ("eps", "gamma"), REMOVED, ValueError, "eps: ExponentialLR needs 'gamma'",
        {("eps", "gamma"): 0.9},
    ),
    "target twice": (
        ("lr", "schedule_target"), "lr", ValueError, "lr.schedule_target: cosine_annealing",
        {("lr", "schedule_target"): REMOVED},
    ),
    "absolute torch scheduler": (
        ("eps", "absolute"), True, ValueError, "eps.absolute: ExponentialLR has no such entry",
        {("eps", "absolute"): REMOVED},
    ),
    "out of range": (
        ("lr", "num_warmup_steps"), 20000, ValueError,
        "lr.num_warmup_steps: expected at most num_training_steps = 10000, got 20000",
        {("lr", "num_training_steps"): 20000},
    ),
    "torch's own check": (
        ("heat", "total_steps"), 9.0, ValueError,
        "heat: OneCycleLR: Expected positive integer total_steps, but got 9.0",
        {("heat", "total_steps"): 9},
    ),
    "torch's check of a part": (
        ("noise", "schedulers", 0, "start_factor"), -1, ValueError,
        "noise.schedulers[0]: LinearLR: Starting multiplicative factor expected to be ",
        {("noise", "schedulers", 0, "start_factor"): 0.5},
    ),
    "kind": (
        ("weight_decay", "curve", "kind"), "Cosin", ValueError,
        "weight_decay.curve.kind: 'Cosin' is not a kind of curve; did you mean 'Cosine'?",
        {("weight_decay", "curve", "kind"): "Cosine"},
    ),
    "a function's name for a kind": (
        ("clip", "curve", "kind"), "join", ValueError,
        "clip.curve.kind: 'join' is not a kind of curve; did you mean 'Join'?",
        {("clip", "curve", "kind"): "Join"},
    ),
    "no kind": (
        ("weight_decay", "curve", "kind"), REMOVED, ValueError,
        "weight_decay.curve: a curve needs 'kind', one of ['Clip', 'Constant', 'Cosine', ",
        {("weight_decay", "curve", "kind"): "Cosine"},
    ),
    "argument of a curve": (
        ("clip", "curve", "curves", 1), {"kind": "Linear", "start": 1, "end": 0, "step": 3},
        ValueError, "clip.curve.curves[1].step: a Linear has no such entry; did you mean 'steps'?",
        {("clip", "curve", "curves", 1): LINE},
    ),
    "range of a curve": (
        ("clip", "curve", "curves", 1, "steps"), -3, ValueError,
        "clip.curve.curves[1].steps: expected 0 or more, got -3",
        {("clip", "curve", "curves", 1, "steps"): 0},
    ),
    "number of boundaries": (
        ("clip", "curve", "boundaries"), [], ValueError,
        "clip.curve.boundaries: expected one between each two curves, got 0 for 2 curves",
        {("clip", "curve", "boundaries"): [30]},
    ),
    "a point": (
        ("betas[0]", "curve", "backbone", "points"), {"zero": 1.0}, TypeError,
        "betas[0].curve.backbone.points.zero: expected a number, got the text 'zero'",
        {("betas[0]", "curve", "backbone", "points"): {"0": 1.0}},
    ),
    "points that are not pairs": (
        ("betas[0]", "curve", "backbone", "points"), [[0, 1.0, 2]], TypeError,
        "betas[0].curve.backbone.points[0]: expected a pair [step, value], got [0, 1.0, 2] (list)",
        {("betas[0]", "curve", "backbone", "points"): [[0, 1.0]]},
    ),
    "group": (
        ("betas[0]", "curve"), {"backbon": LINE, "*": None}, ValueError,
        "betas[0].curve.backbon: 'backbon' is not the 'name' of a param group; "
        "did you mean 'backbone'?",
        moved(("betas[0]", "curve", "backbon"), "backbone", LINE),
    ),
    "a group without a curve": (
        ("betas[0]", "curve", "*"), REMOVED, ValueError,
        "betas[0].curve: param group 1 has no curve (its 'name': 'head'); add 'head', or '*'",
        {("betas[0]", "curve", "*"): None},
    ),
    "curves in order, too few": (
        ("betas[0]", "curve"), [LINE], ValueError,
        "betas[0].curve: got 1 curves for 2 param groups; give one per group, None for a group",
        {("betas[0]", "curve"): [LINE, None]},
    ),
    "groups by number": (
        ("betas[0]", "curve"), {0: LINE, 1: None}, TypeError,
        "betas[0].curve: expected the names of param groups as keys, got 0 (int); for one curve "
        "per group in the optimizer's order, write a list",
        {("betas[0]", "curve"): [LINE, None]},
    ),
    "a value out of the target's range": (
        ("betas[0]", "curve", "backbone", "points"), {0: 1.2}, ValueError,
        "betas[0]: the multiplier of 'betas[0]' at step 0: 1.2, ",
        {("betas[0]", "curve", "backbone", "points"): {0: 1.1}},
    ),
    "a curve that is code": (
        ("weight_decay", "curve"), curves.Cosine(0.04, 0.4, 10), TypeError,
        "weight_decay.curve: expected data, got Cosine(start=0.04, end=0.4, steps=10) (Cosine); "
        "write a dict such as curves.to_dict makes of a curve",
        {("weight_decay", "curve"): curves.to_dict(curves.Cosine(0.04, 0.4, 10))},
    ),
    "a scheduler that is code": (
        ("eps",), {"scheduler": "LambdaLR"}, TypeError,
        "eps.scheduler: LambdaLR takes a function, which is code and not data. Write a curve, or ",
        {("eps",): {"curve": LINE}},
    ),
    "a setting that is code": (
        ("eps",), {"scheduler": "CyclicLR", "base_lr": 0.1, "max_lr": 1, "scale_fn": "sqrt",
                   "cycle_momentum": False},
        TypeError, "eps.scale_fn: a function is code and not data; leave it out, or write a curve",
        {("eps", "scale_fn"): REMOVED},
    ),
    "a word": (
        ("heat", "anneal_strategy"), "cosine", ValueError,
        "heat.anneal_strategy: 'cosine' is not one of its words; did you mean 'cos'?",
        {("heat", "anneal_strategy"): "cos"},
    ),
    "a flag as text": (
        ("weight_decay", "absolute"), "yes", TypeError,
        "weight_decay.absolute: expected true or false, got 'yes' (str)",
        {("weight_decay", "absolute"): True},
    ),
    "a flag as a number": (
        ("heat", "three_phase"), 1, TypeError,
        "heat.three_phase: expected true or false, got 1 (int)", {("heat", "three_phase"): True},
    ),
    "a default value in a compound": (
        ("noise", "schedulers", 1, "default_value"), 3, ValueError,
        "noise.schedulers[1].default_value: an entry with 'curve' has no such entry; it has ",
        {("noise", "schedulers", 1, "default_value"): REMOVED},
    ),
    "a number for a list": (
        ("noise", "milestones"), 4, TypeError,
        "noise.milestones: expected a list of numbers, got 4 (int)", {("noise", "milestones"): [4]},
    ),
    "half a step": (
        ("noise", "milestones"), [2.5], ValueError,
        "noise.milestones: expected whole steps, 1 or more, got [2.5] (list)",
        {("noise", "milestones"): [2.0]},
    ),
    "no step": (
        ("eps",), {"scheduler": "StepLR", "step_size": 0}, ValueError,
        "eps.step_size: expected whole steps, 1 or more, got 0 (int)",
        {("eps",): {"scheduler": "StepLR", "step_size": 1}},
    ),
    "a curve of one group": (
        ("weight_decay", "curve"), {"backbone": 3, "*": None}, TypeError,
        "weight_decay.curve.backbone: expected ", {("weight_decay", "curve"): LINE},
    ),
    "NaN": (
        ("eps", "gamma"), math.nan, ValueError,
        "eps.gamma: expected a finite real number, got nan", {("eps", "gamma"): 0.9},
    ),
    "a flag for a number": (
        ("lr", "warmup_to_value"), True, TypeError,
        "lr.warmup_to_value: expected a finite real number, got True (bool)",
        {("lr", "warmup_to_value"): 1},
    ),
    "nothing": (
        ("lr", "warmup_to_value"), None, TypeError,
        "lr.warmup_to_value: expected a finite real number, got None (NoneType)",
        {("lr", "warmup_to_value"): 1},
    ),
    "a target that is not text": (
        (3,), {"curve": LINE}, TypeError,
        "plan: expected the names of targets as keys, got 3 (int)", {(3,): REMOVED},
    ),
}  # fmt: skip

# "1e3" is text in YAML 1.1, and a number in JSON, TOML and YAML 1.2.
TEXTS: list[tuple[Place, str, str]] = [
    (("lr", "num_training_steps"), "1e4", ". YAML reads 1e4 as text; write 1.0e+4"),
    (("lr", "num_training_steps"), "1.5E4", ". YAML reads 1.5E4 as text; write 1.5e+4"),
    (("lr", "num_training_steps"), "10000", "; write 10000 without quotes"),
    (("eps", "gamma"), "9e-1", ". YAML reads 9e-1 as text; write 9.0e-1"),
    (("eps", "gamma"), "0.9", "; write 0.9 without quotes"),
    (("noise", "milestones", 0), "4", "; write 4 without quotes"),
    (("clip", "default_value"), "1.e1", ". YAML reads 1.e1 as text; write 1.0e+1"),
    (("clip", "curve", "curves", 1, "end"), "1e-3", ". YAML reads 1e-3 as text; write 1.0e-3"),
    (("weight_decay", "curve", "start"), "-4e2", ". YAML reads -4e2 as text; write -4.0e+2"),
]


def changed(plan: Any, changes: dict[Place, Any]) -> Any:
    plan = copy.deepcopy(plan)
    for place, value in changes.items():
        holder = plan
        for key in place[:-1]:
            holder = holder[key]
        if value is REMOVED:
            del holder[place[-1]]
        else:
            holder[place[-1]] = copy.deepcopy(value)
    return plan


def path_of(place: Place) -> str:
    return re.sub(r"\.\[", "[", ".".join(f"[{k}]" if type(k) is int else k for k in place))


def test_the_plan_is_valid() -> None:
    """The plan that the faults are put into is a valid one."""
    assert from_plan(make_optimizer(), PLAN).schedule_names == list(PLAN)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_refused_at_its_path(name: str, untouched: Untouched) -> None:
    """A fault is refused with its path, nothing is touched, and the remedy works."""
    place, value, error, message, remedy = FAULTS[name]
    broken = changed(PLAN, {place: value})
    optimizer = make_optimizer()
    with untouched(optimizer), pytest.raises(error, match=re.escape(message)) as caught:
        from_plan(optimizer, broken)
    shown = str(caught.value.args[0])
    assert shown.startswith((str(place[0]), "plan"))
    assert len(re.split(r"\. (?=[A-Z])", shown)) <= 3
    mended = changed(broken, remedy)
    assert from_plan(optimizer, mended).schedule_names == list(mended)


@pytest.mark.parametrize(("place", "text", "hint"), TEXTS)
def test_a_number_that_came_as_text(
    place: Place, text: str, hint: str, untouched: Untouched
) -> None:
    """A number in text is refused; YAML reads as a number what the hint says to write."""
    optimizer = make_optimizer()
    message = f"{path_of(place)}: expected a number, got the text {text!r}{hint}"
    with untouched(optimizer), pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        from_plan(optimizer, changed(PLAN, {place: text}))
    written = re.findall(r"write (\S+)", hint)[0]
    read = yaml.safe_load(written)
    assert type(read) in (int, float)
    assert read == float(text)
    from_plan(optimizer, changed(PLAN, {place: read}))


@pytest.mark.parametrize("text", ["", "ten", "1e", "0x10", "nan", "inf", "1_000", "1 0"])
def test_text_that_is_not_a_number_gets_no_hint(text: str) -> None:
    """Only text in which there is a number gets the hint how to write it."""
    with pytest.raises(TypeError, match=f"got the text {text!r}$"):
        from_plan(make_optimizer(), changed(PLAN, {("eps", "gamma"): text}))


# -- curves.from_dict: the same paths --------------------------------------------------------------

RECORD = {"kind": "Join", "curves": [HALF, LINE], "boundaries": [30]}


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({("curves", 1, "steps"): -3}, ValueError, "curves[1].steps: expected 0 or more, got -3"),
        ({("curves", 1, "steps"): "1e3"}, TypeError, "curves[1].steps: expected a number, got "),
        ({("curves", 0, "kind"): "Const"}, ValueError, "curves[0].kind: 'Const' is not a kind of "
         "curve; did you mean 'Constant'?"),
        ({("kind",): REMOVED}, ValueError, "record: a curve needs 'kind', one of ['Clip', "),
        ({("curvse",): []}, ValueError, "curvse: a Join has no such entry; it has 'curves', "),
        ({("boundaries", 0): None}, TypeError, "boundaries[0]: expected a finite real number"),
    ],
)  # fmt: skip
def test_a_record_has_the_same_paths(
    changes: dict[Place, Any], error: type[Exception], message: str
) -> None:
    """``curves.from_dict`` says where in the record the fault is."""
    from_dict(RECORD)
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        from_dict(changed(RECORD, changes))


@pytest.mark.parametrize(
    "points",
    [{0: 1.0, 30: 0.5}, {"0": 1.0, "30": 0.5}, {"30.0": 0.5, "0": 1}, [[0, 1.0], (30, 0.5)]],
)
def test_points_are_a_mapping_or_pairs(points: Any) -> None:
    """``points`` are what parsers make of ``{0: 1.0, 30: 0.5}``, and JSON's pairs."""
    expected = curves.Piecewise({0: 1.0, 30: 0.5})
    assert from_dict({"kind": "Piecewise", "points": points}) == expected


def test_arguments_with_defaults_may_be_left_out() -> None:
    """A Repeat needs neither ``growth`` nor ``decay``, as in code."""
    record = {"kind": "Repeat", "curve": LINE, "steps": 10}
    assert from_dict(record) == curves.repeat(curves.Linear(1, 0, 10), 10)
    with pytest.raises(ValueError, match=r"^record: a Repeat needs 'steps'$"):
        from_dict({"kind": "Repeat", "curve": LINE})


def test_a_number_stands_for_a_constant_in_a_product() -> None:
    """A factor may be a number, as in ``0.5 * curve``."""
    record = {"kind": "Product", "factors": [0.5, LINE]}
    assert from_dict(record) == 0.5 * curves.Linear(1, 0, 10)


# -- the other arguments ---------------------------------------------------------------------------

ONE = {"lr": {"curve": LINE}}
SEVERAL = {"muon": make_optimizer(), "adamw": make_optimizer()}


@pytest.mark.parametrize(
    ("optimizer", "plan", "stretch", "error", "message"),
    [
        (make_optimizer(), {}, 1, ValueError, "plan: expected at least one target"),
        (make_optimizer(), [ONE], 1, TypeError, "plan: expected a dict from targets to what "),
        (make_optimizer(), "lr", 1, TypeError, "plan: expected a dict from targets to what "),
        (make_optimizer(), ONE, 0, ValueError, "stretch: expected more than 0, got 0"),
        (make_optimizer(), ONE, "100", TypeError, "stretch: expected a finite real number, got "),
        (make_optimizer(), ONE, math.nan, ValueError, "stretch: expected a finite real number"),
        (ONE, make_optimizer(), 1, TypeError, "optimizer: expected a torch optimizer, an object "),
        ({}, ONE, 1, ValueError, "optimizer: expected at least one, got an empty dict"),
        ({"a/b": make_optimizer()}, ONE, 1, TypeError, "optimizer: expected names of optimizers "),
        ({"": make_optimizer()}, ONE, 1, TypeError, "optimizer: expected names of optimizers as "),
        (SEVERAL, ONE, 1, ValueError, "lr: with several optimizers, the name of one comes first: "
         "'muon/lr'"),
        (SEVERAL, {"mun/lr": ONE["lr"]}, 1, ValueError, "mun/lr: 'mun' is not an optimizer here; "
         "did you mean 'muon'?"),
        (SEVERAL, {"muon/lr": ONE["lr"]}, 1, ValueError, "optimizer: the plan has nothing for "
         "'adamw'; add an entry such as 'adamw/lr', or leave out that optimizer"),
        (SimpleNamespace(param_groups=[]), ONE, 1, ValueError, "no param groups"),
    ],
)  # fmt: skip
def test_arguments_are_checked(
    optimizer: Any, plan: Any, stretch: Any, error: type[Exception], message: str
) -> None:
    """An optimizer, a plan or a factor that does not fit is named in the error."""
    with pytest.raises(error, match=re.escape(message)):
        from_plan(optimizer, plan, stretch=stretch)


def test_a_proxy_is_refused() -> None:
    """A stand-in shows one target only; its optimizer and that target are what to write."""
    optimizer = make_optimizer()
    with pytest.raises(ValueError, match="stand-in; pass the optimizer behind it, and 'eps' as"):
        from_plan(ProxyOptimizer(optimizer, "eps"), ONE)
    from_plan(optimizer, {"eps": {"curve": LINE}})


def test_what_is_no_schedule_is_not_described() -> None:
    """``to_plan`` says that it takes schedules."""
    from tsa_builtins import to_plan

    with pytest.raises(TypeError, match="expected schedules, got 3"):
        to_plan(3)


# -- nothing is touched ----------------------------------------------------------------------------


def with_tensors() -> torch.optim.AdamW:
    """An optimizer with tensors of its own, one of them shared with its defaults."""
    optimizer = torch.optim.AdamW(
        [torch.nn.Parameter(torch.ones(2))], lr=torch.tensor(0.1), foreach=False
    )
    optimizer.param_groups[0]["clip"] = torch.tensor(4.0, dtype=torch.float64)
    return optimizer


LAST_FAULT = {"eps": {"scheduler": "OneCycleLR", "max_lr": 1, "total_steps": 0.5}}


def test_tensors_and_defaults_are_put_back(untouched: Untouched) -> None:
    """If the last entry is refused, tensors hold what they held, and defaults too."""
    optimizer = with_tensors()
    plan = {"lr": {"curve": HALF}, "clip": {"curve": HALF}, **LAST_FAULT}
    before = dict(optimizer.defaults)
    with untouched(optimizer), pytest.raises(ValueError, match=r"^eps: OneCycleLR: "):
        from_plan(optimizer, plan)
    assert all(optimizer.defaults[key] is value for key, value in before.items())
    assert optimizer.param_groups[0]["lr"].item() == torch.tensor(0.1).item()


def test_milestones_of_a_sequence_are_in_order() -> None:
    """Torch would play the parts of an unordered ``SequentialLR`` wrongly, without a word."""
    parts = [{"scheduler": "StepLR", "step_size": 2}] * 3
    sequence = {"scheduler": "SequentialLR", "schedulers": parts}
    with pytest.raises(ValueError, match=r"^lr.milestones: expected steps in rising order, got"):
        from_plan(make_optimizer(), {"lr": {**sequence, "milestones": [5, 2]}})
    from_plan(make_optimizer(), {"lr": {**sequence, "milestones": [2, 5]}})
    unordered = {"scheduler": "MultiStepLR", "milestones": [5, 2]}  # torch sorts them
    from_plan(make_optimizer(), {"lr": unordered})


def test_a_tensor_that_cannot_be_written_does_not_hide_the_fault() -> None:
    """An expanded tensor among the entries is as it was, so it is not put back."""
    optimizer = make_optimizer()
    optimizer.param_groups[0]["mask"] = torch.tensor(1.0).expand(5)
    with pytest.raises(ValueError, match=r"^eps: OneCycleLR: "):
        from_plan(optimizer, {"lr": {"curve": HALF}, **LAST_FAULT})


def test_a_warning_that_is_an_error_puts_back_too(untouched: Untouched) -> None:
    """A warning that a filter makes an error leaves the members before it undone."""
    optimizer = make_optimizer()
    plan = {"eps": {"curve": HALF}, "lr": {"schedule": "constant_schedule", "value": 0.1}}
    with untouched(optimizer), warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match=r"^constant_schedule: value=0\.1 is the initial"):
            from_plan(optimizer, plan)


def test_all_optimizers_are_put_back(untouched: Untouched) -> None:
    """If the entry of one optimizer is refused, the others are as they were."""
    one, other = make_optimizer(), make_optimizer()
    plan = {"one/clip": {"curve": HALF, "default_value": 1}, "other/eps": LAST_FAULT["eps"]}
    with untouched(one), untouched(other), pytest.raises(ValueError, match=r"^other/eps: "):
        from_plan({"one": one, "other": other}, plan)


def test_members_that_do_not_go_together_are_put_back(untouched: Untouched) -> None:
    """A schedule of the momentum that a OneCycleLR cycles is refused, and nothing has moved."""
    optimizer = make_optimizer()
    plan = {
        "lr": {"scheduler": "OneCycleLR", "max_lr": 1, "total_steps": 50},
        "betas[0]": {"curve": HALF},
    }
    with untouched(optimizer), pytest.raises(RuntimeError, match="cycle_momentum=False"):
        from_plan(optimizer, plan)
    plan["lr"]["cycle_momentum"] = False
    from_plan(optimizer, plan)
