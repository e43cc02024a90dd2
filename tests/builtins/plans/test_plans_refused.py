"""Mistakes in a plan: each is refused with its path, and the message's remedy works."""

from __future__ import annotations

import copy
import functools
import math
import operator
import re
import warnings
from pathlib import PurePosixPath
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
import yaml
from plan_forms import HALF, LINE, make_optimizer
from small_runs import Untouched, adamw

from tsa_builtins import curves, from_plan, to_plan
from tsa_core import ProxyOptimizer

PLAN: dict[str, Any] = {
    "lr": {"schedule": "constant_with_warmup", "warmup_to_value": 1.0, "num_warmup_steps": 10000},
    "weight_decay": {"absolute": True, "curve": {**LINE, "kind": "Cosine"}},
    "betas[0]": {
        "curve": {"backbone": {"kind": "Piecewise", "points": {0: 1.0, 9: 0.9}}, "*": None}},
    "clip": {"default_value": 10.0,
             "curve": {"kind": "Join", "curves": [HALF, LINE], "boundaries": [30]}},
    "eps": {"scheduler": "ExponentialLR", "gamma": 0.9},
    "noise": {
        "default_value": 1.0, "scheduler": "SequentialLR", "milestones": [4],
        "schedulers": [{"scheduler": "LinearLR", "start_factor": 0.5}, {"curve": LINE}]},
    "heat": {"default_value": 1.0, "scheduler": "OneCycleLR", "max_lr": 1, "total_steps": 9,
             "cycle_momentum": False},
}  # fmt: skip

REMOVED = object()  # takes an entry away


class Fault(NamedTuple):
    """What is put where, the message, and the remedy that the message sends to."""

    place: str
    value: Any
    message: str
    """It follows the place if it begins with a colon or a dot."""
    error: type[Exception] = ValueError
    remedy: dict[str, Any] | None = None
    """What is to be written. By default, that which is in its place in PLAN."""

    def broken(self) -> Any:
        return changed(PLAN, {self.place: self.value})

    def mended(self) -> Any:
        return PLAN if self.remedy is None else changed(self.broken(), self.remedy)


# The JSON Schema shows these too.
OF_FORM: dict[str, Fault] = {
    "only way": Fault("lr", {"shedule": "constant_schedule", "value": 1},
        ".shedule: not an entry of a plan; did you mean 'schedule'?",
        remedy={"lr.shedule": REMOVED, "lr.schedule": "constant_schedule"}),
    "two ways": Fault("eps.curve", LINE,
        "eps: got 'scheduler' and 'curve'; write one of them only"),
    "no way": Fault("eps", {"gamma": 0.9},
        ": expected one of ['schedule', 'scheduler', 'curve', 'follows'], got ['gamma']",
        remedy={"eps.scheduler": "ExponentialLR"}),
    "not an entry": Fault("eps", 0.9,
        ": expected a dict with 'schedule', 'scheduler', 'curve' or 'follows', got 0.9 (float)",
        TypeError, {"eps": {"curve": HALF}}),
    "built-in": Fault("lr.schedule", "constant_wiht_warmup",
        ": 'constant_wiht_warmup' is not a built-in; did you mean 'constant_with_warmup'?"),
    "torch's name for a built-in": Fault("eps", {"schedule": "ExponentialLR", "gamma": 0.9},
        ".schedule: 'ExponentialLR' goes under 'scheduler'; write scheduler: ExponentialLR",
        remedy={"eps.schedule": REMOVED, "eps.scheduler": "ExponentialLR"}),
    "a built-in's name for torch's": Fault("eps", {"scheduler": "constant_schedule", "value": 0.5},
        ".scheduler: 'constant_schedule' goes under 'schedule'; write schedule: constant_schedule",
        remedy={"eps.scheduler": REMOVED, "eps.schedule": "constant_schedule"}),
    "torch scheduler": Fault("eps.scheduler", "ExponetialLR",
        ": 'ExponetialLR' is not a torch scheduler; did you mean 'ExponentialLR'?"),
    "argument": Fault("eps", {"scheduler": "ExponentialLR", "gama": 0.9},
        ".gama: ExponentialLR has no such entry; did you mean 'gamma'?",
        remedy={"eps.gama": REMOVED, "eps.gamma": 0.9}),
    "missing argument": Fault("lr.num_warmup_steps", REMOVED,
        "lr: constant_with_warmup needs 'num_warmup_steps'"),
    "missing setting": Fault("eps.gamma", REMOVED, "eps: ExponentialLR needs 'gamma'"),
    "target twice": Fault("lr.schedule_target", "lr", ": constant_with_warmup has no such entry"),
    "absolute torch scheduler": Fault("eps.absolute", True,
        ": ExponentialLR has no such entry; it has 'gamma'"),
    "argument of a curve": Fault("clip.curve.curves[1]",
        {"kind": "Linear", "start": 1, "end": 0, "step": 3},
        ".step: a Linear has no such entry; did you mean 'steps'?"),
    "a scheduler that is code": Fault("eps", {"scheduler": "LambdaLR"},
        ".scheduler: LambdaLR takes a function, which is code and not data. Write a curve, or ",
        TypeError, {"eps": {"curve": LINE}}),
    "a setting that is code": Fault("eps",
        {"scheduler": "CyclicLR", "base_lr": 0.1, "max_lr": 1, "scale_fn": "sqrt",
         "cycle_momentum": False},
        ".scale_fn: a function is code and not data; leave it out, or write a curve", TypeError,
        {"eps.scale_fn": REMOVED}),
    "a word": Fault("heat.anneal_strategy", "cosine",
        ": 'cosine' is not one of its words; did you mean 'cos'?",
        remedy={"heat.anneal_strategy": "cos"}),
    "a flag as text": Fault("weight_decay.absolute", "yes",
        ": expected true or false, got 'yes' (str)", TypeError),
    "a flag as a number": Fault("heat.three_phase", 1, ": expected true or false, got 1 (int)",
        TypeError, {"heat.three_phase": True}),
    "a default value in a compound": Fault("noise.schedulers[1].default_value", 3,
        ": an entry with 'curve' has no such entry; it has "),
    "a number for a list": Fault("noise.milestones", 4, ": expected a list of numbers, got 4 (int)",
        TypeError),
    "half a step": Fault("noise.milestones", [2, 2.5],
        ": expected whole steps, 1 or more, got [2, 2.5] (list)",
        remedy={"noise.milestones": [2.0]}),
    "a curve of one group": Fault("weight_decay.curve", {"backbone": 3, "*": None},
        ".backbone: expected ", TypeError, {"weight_decay.curve": LINE}),
    "a source that is not text": Fault("eps", {"follows": ["lr"]},
        ".follows: expected the name of another target, got ['lr'] (list)", TypeError,
        {"eps.follows": "lr"}),
    "a power and a rule": Fault("eps", {"follows": "lr", "power": 2, "rule": LINE},
        ": got 'power' and 'rule'; write one of them only", remedy={"eps.rule": REMOVED}),
    "a power as text": Fault("eps", {"follows": "lr", "power": "two"},
        ".power: expected a number, got the text 'two'", TypeError, {"eps.power": 2}),
    "a rule as a number": Fault("eps", {"follows": "lr", "rule": 2},
        ".rule: expected a dict such as {'kind': 'Linear', ", TypeError,
        {"eps.rule": curves.to_dict(curves.Power(2))}),
    "a misspelt rule": Fault("eps", {"follows": "lr", "powr": 2},
        ".powr: an entry with 'follows' has no such entry; did you mean 'power'?",
        remedy={"eps.powr": REMOVED, "eps.power": 2}),
    "a part that follows": Fault("noise.schedulers[1]", {"follows": "lr"},
        ".follows: a part of a compound cannot follow another target; write a ",
        remedy={"noise.schedulers[1]": {"curve": LINE}}),
}  # fmt: skip

# Only the optimizer, the order of numbers, or Python shows these.
OF_VALUES: dict[str, Fault] = {
    "target": Fault("weigth_decay", {"curve": LINE},
        ": 'weigth_decay' is not in param groups 0, 1; did you mean 'weight_decay'", KeyError,
        {"weigth_decay": REMOVED, "weight_decay": {"curve": LINE}}),
    "target of one's own": Fault("clip.default_value", REMOVED,
        "does not read, write default_value in this entry", KeyError),
    "torch's check of a part": Fault("noise.schedulers[0].start_factor", -1,
        "noise.schedulers[0]: LinearLR: Starting multiplicative factor expected to be "),
    "group": Fault("betas[0].curve", {"backbon": LINE, "*": None},
        ".backbon: 'backbon' is not the 'name' of a param group; did you mean 'backbone'?",
        remedy={"betas[0].curve.backbon": REMOVED, "betas[0].curve.backbone": LINE}),
    "a group without a curve": Fault("betas[0].curve.*", REMOVED,
        "betas[0].curve: param group 1 has no curve (its 'name': 'head'); add 'head', or '*'"),
    "groups by number": Fault("betas[0].curve", {0: LINE, 1: None},
        ": expected the names of param groups as keys, got 0 (int); for one curve per group in the "
        "optimizer's order, write a list", TypeError, {"betas[0].curve": [LINE, None]}),
    "a curve that is code": Fault("weight_decay.curve", curves.Cosine(0.04, 0.4, 10),
        ": expected data, got Cosine(start=0.04, end=0.4, steps=10) (Cosine); write a dict such as "
        "curves.to_dict makes of a curve", TypeError,
        {"weight_decay.curve": curves.to_dict(curves.Cosine(0.04, 0.4, 10))}),
    "milestones out of order": Fault("eps",
        {"scheduler": "SequentialLR", "milestones": [5, 2], "schedulers": [{"scheduler": "StepLR",
         "step_size": 2}] * 3}, ".milestones: expected steps in rising order, got",
        remedy={"eps.milestones": [2, 5]}),
    "NaN": Fault("eps.gamma", math.nan, ": expected a finite real number, got nan"),
    "an unknown source": Fault("eps", {"follows": "weight_decai"},
        ".follows: 'weight_decai' is not in param groups 0, 1; did you mean 'weight_decay'",
        KeyError, {"eps.follows": "weight_decay", "eps.absolute": True}),
    "a source of one's own": Fault("eps", {"follows": "noize"},
        "does not read, write an entry 'noize' with default_value", KeyError,
        {"noize": {"curve": HALF, "default_value": 1.0}}),
    "a target that follows itself": Fault("eps", {"follows": "eps"},
        ".follows: expected another target, got a circle: eps follows eps",
        remedy={"eps.follows": "lr"}),
}  # fmt: skip
FAULTS = {**OF_FORM, **OF_VALUES}

# "1e3" is text in YAML 1.1, and a number in JSON, TOML and YAML 1.2.
TEXTS: list[tuple[str, str, str]] = [
    ("lr.num_warmup_steps", "1e4", ". YAML reads 1e4 as text; write 1.0e+4"),
    ("lr.num_warmup_steps", "1.5E4", ". YAML reads 1.5E4 as text; write 1.5e+4"),
    ("lr.num_warmup_steps", "10000", "; write 10000 without quotes"),
    ("eps.gamma", "0.9", "; write 0.9 without quotes"),
    ("noise.milestones[0]", "4", "; write 4 without quotes"),
    ("clip.default_value", "1.e1", ". YAML reads 1.e1 as text; write 1.0e+1"),
    ("clip.curve.curves[1].end", "1e-3", ". YAML reads 1e-3 as text; write 1.0e-3"),
    ("clip.curve.curves[1].start", "-4e2", ". YAML reads -4e2 as text; write -4.0e+2"),
]


def changed(plan: Any, changes: dict[str, Any]) -> Any:
    plan = copy.deepcopy(plan)
    for place, value in changes.items():
        keys = re.findall(r"betas\[0\]|[^.\[\]]+", place)
        *outer, last = (int(key) if key.isdigit() else key for key in keys)
        holder = functools.reduce(operator.getitem, outer, plan)
        holder[last] = value
        if value is REMOVED:
            del holder[last]
    return plan


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_refused_at_its_path(fault: Fault, untouched: Untouched) -> None:
    """A fault is refused with its path, nothing is touched, and the remedy works."""
    optimizer = make_optimizer()
    is_at_its_place = fault.message.startswith((":", "."))
    message = re.escape(fault.place * is_at_its_place + fault.message)
    with untouched(optimizer), pytest.raises(fault.error, match=message) as caught:
        from_plan(optimizer, fault.broken())
    shown = str(caught.value.args[0])
    assert shown.startswith((fault.place.partition(".")[0], "plan"))
    assert len(re.split(r"\. (?=[A-Z])", shown)) <= 3
    assert from_plan(optimizer, fault.mended()).schedule_names == list(fault.mended())


def test_a_number_that_came_as_text(untouched: Untouched) -> None:
    """A number in text is refused; YAML reads as a number what the hint says to write."""
    optimizer = make_optimizer()
    for place, text, hint in TEXTS:
        message = f"{place}: expected a number, got the text {text!r}{hint}"
        with untouched(optimizer), pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
            from_plan(optimizer, changed(PLAN, {place: text}))
        read = yaml.safe_load(re.findall(r"write (\S+)", hint)[0])
        assert type(read) in (int, float)
        assert read == float(text)
        from_plan(make_optimizer(), changed(PLAN, {place: read}))
    for text in ("", "ten", "1e", "0x10", "nan", "inf", "1_000", "1 0"):  # no number, no hint
        with pytest.raises(TypeError, match=f"got the text {text!r}$"):
            from_plan(optimizer, changed(PLAN, {"eps.gamma": text}))


# -- the other arguments ---------------------------------------------------------------------------

ONE = {"lr": {"curve": LINE}}
CIRCLE = {"lr": {"follows": "eps"}, "weight_decay": {"follows": "lr"},
          "eps": {"follows": "weight_decay"}}  # fmt: skip
BY_NAME = {"lr": {"curve": {"backbone": LINE, "*": None}}}
ALONE = make_optimizer()
SEVERAL = {"muon": make_optimizer(), "adamw": make_optimizer()}


def following(source: str) -> dict[str, Any]:
    return {"muon/lr": ONE["lr"], "adamw/lr": ONE["lr"], "muon/eps": {"follows": source}}


# An optimizer, a plan and the message.
ARGUMENTS: dict[type[Exception], list[tuple[Any, Any, str]]] = {
    ValueError: [
        (ALONE, {}, "plan: expected at least one target"),
        (ALONE, CIRCLE, "lr.follows: expected another target, got a circle: "
         "lr follows eps follows weight_decay follows lr"),
        ({}, ONE, "optimizer: expected at least one, got an empty dict"),
        (SimpleNamespace(param_groups=[]), ONE, "no param groups"),
        (ProxyOptimizer(ALONE, "eps"), ONE, "stand-in; pass the optimizer behind it, and 'eps' as"),
        (adamw({}, {}), BY_NAME, "lr.curve.backbone: 'backbone' is not the 'name' of a param "
         "group; no group has a name. Name each of"),
        (adamw({"name": "x"}, {}), BY_NAME, "expected one of ['*', 'x']"),
        (SEVERAL, ONE, "lr: with several optimizers, write the name of one first: 'muon/lr'"),
        (SEVERAL, {"mun/lr": 1}, "mun/lr: 'mun' is not an optimizer here; did you mean 'muon'?"),
        (SEVERAL, {"muon/lr": ONE["lr"]}, "optimizer: the plan has nothing for 'adamw'; add an "
         "entry such as 'adamw/lr', or leave out that optimizer"),
        (SEVERAL, following("adamw/lr"), "muon/eps.follows: 'adamw/lr' is a target of a different "
         "optimizer; name one of 'muon', such as 'muon/lr'"),
        (SEVERAL, following("mun/lr"),
         "muon/eps.follows: 'mun' is not an optimizer here; did you mean 'muon'?"),
    ],
    TypeError: [
        (ALONE, [ONE], "plan: expected a dict from targets to what drives them, got [{'lr': "),
        (ALONE, {3: HALF}, "plan: expected the names of targets as keys"),
        (ONE, ALONE, "optimizer: expected a torch optimizer, an object "),
        ({"a/b": ALONE}, ONE, "optimizer: expected names of optimizers "),
        ({"": ALONE}, ONE, "optimizer: expected names of optimizers as "),
    ],
    KeyError: [
        (SEVERAL, following("muon/epps"),
         "muon/eps.follows: 'epps' is not in param groups 0, 1; did you mean 'eps'?"),
    ],
}  # fmt: skip


def test_arguments_are_checked() -> None:
    """An optimizer, a plan or a factor that does not fit is named in the error."""
    for error, rows in ARGUMENTS.items():
        for optimizer, plan, message in rows:
            with pytest.raises(error, match=re.escape(message)):
                from_plan(optimizer, plan)
    with pytest.raises(ValueError, match="stretch: expected more than 0, got 0"):
        from_plan(ALONE, ONE, stretch=0)
    with pytest.raises(TypeError, match="stretch: expected a finite real number, got "):
        from_plan(ALONE, ONE, stretch="100")  # type: ignore[arg-type]  # the mistake


# A name of a file, or its text, and what loads it.
FILES: dict[Any, str] = {
    "plan.yaml": "yaml.safe_load(Path('plan.yaml').read_text())",
    "plans/a.YML": "yaml.safe_load(Path('plans/a.YML').read_text())",
    PurePosixPath("plan.json"): "json.loads(Path('plan.json').read_text())",
    "plan.toml": "tomllib.loads(Path('plan.toml').read_text())",
    "lr: {curve: {kind: Constant, value: 1}}": "yaml.safe_load(text)",
}


def test_what_is_no_plan_and_no_schedule() -> None:
    for plan, how in FILES.items():
        message = re.escape(f". Load it first: from_plan(optimizer, {how})")
        with pytest.raises(TypeError, match=f"^plan: expected a dict .*{message}$"):
            from_plan(ALONE, plan)
    with pytest.raises(TypeError, match="expected schedules, got 3"):
        to_plan(3)


# -- nothing is touched ----------------------------------------------------------------------------


def test_all_optimizers_are_put_back(untouched: Untouched) -> None:
    """If the last entry is refused, tensors hold what they held, and defaults too."""
    clip = torch.tensor(4.0, dtype=torch.float64)
    mask = torch.tensor(1.0).expand(5)  # cannot be written, so it is not put back
    one = adamw({"clip": clip, "mask": mask}, lr=torch.tensor(0.1), foreach=False)
    other, defaults = make_optimizer(), dict(one.defaults)
    # torch wants an int, and says so when the scheduler is made.
    last = {"scheduler": "OneCycleLR", "max_lr": 1, "total_steps": 9.0}
    plan = {"one/lr": {"curve": HALF}, "one/clip": {"curve": HALF}, "other/eps": last}
    message = r"^other/eps: OneCycleLR: Expected positive integer total_steps, but got 9\.0"
    with untouched(one), untouched(other), pytest.raises(ValueError, match=message):
        from_plan({"one": one, "other": other}, plan)
    assert all(one.defaults[key] is value for key, value in defaults.items())


def test_members_before_the_fault_are_undone(untouched: Untouched) -> None:
    """So are they by a warning that a filter makes an error, and by a member that disagrees."""
    optimizer = make_optimizer()
    doubtful = {"schedule": "constant_schedule", "value": 0.1}
    with untouched(optimizer), warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match=r"^constant_schedule: value=0\.1 is the initial"):
            from_plan(optimizer, {"clip": {"curve": HALF, "default_value": 1}, "lr": doubtful})
    one_cycle = {"scheduler": "OneCycleLR", "max_lr": 1, "total_steps": 50}
    plan = {"lr": one_cycle, "betas[0]": {"curve": HALF}}
    with untouched(optimizer), pytest.raises(RuntimeError, match="cycle_momentum=False"):
        from_plan(optimizer, plan)
    from_plan(optimizer, {**plan, "lr": {**one_cycle, "cycle_momentum": False}})
