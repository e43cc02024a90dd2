"""A target holds a real number, and anything with param groups is an optimizer."""

from __future__ import annotations

import copy
import enum
import math
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from cases import crossed
from helpers import (
    INVALID_VALUES,
    Untouched,
    across,
    adamw,
    add_group,
    advance,
    floats,
    halving,
    held,
    put,
    put_curve,
    sgd,
)
from target_helpers import adamw_with
from torch.nn import Parameter
from torch.optim.lr_scheduler import ExponentialLR

import tsa_core

Call = Callable[[Any, Any], Any]


def put_values(optimizer: Any, target: str) -> tsa_core.CurveSchedule:
    """Curves of values that halve ``target`` at each step."""
    curves = [lambda t, first=first: first * halving(t) for first in floats(optimizer, target)]
    return tsa_core.CurveSchedule(optimizer, curves, target, absolute=True)


# Everything that takes an optimizer and a target. A schedule among them halves the target.
CALLS: dict[str, Call] = {
    "curve": put_curve,
    "values": put_values,
    "factory": put,
    "factory with default": lambda opt, target: tsa_core.arbitrary_schedule_factory(
        opt, lambda proxy: ExponentialLR(proxy, 0.5), 1.0, target
    ),
    "proxy": tsa_core.ProxyOptimizer,
    "regrouped": tsa_core.get_param_groups_regrouped_by_key,
    "extend": lambda opt, target: tsa_core.extend_optimizer(opt, target, 1.0),
}
SCHEDULES = ("curve", "values", "factory")
SCHEDULE_IT = ("curve", "proxy", "factory", "factory with default")
NEED_IT = ("curve", "proxy", "factory", "regrouped")
ALL = ("curve", "proxy", "factory", "factory with default", "regrouped", "extend")


def through(*names: str, **axes: Iterable[Any]) -> pytest.MarkDecorator:
    """Run a test through each of the named calls, crossed with the axes."""
    cases = [
        pytest.param(CALLS[name], *others, id="-".join([name, *map(str, others)]))
        for name, *others in crossed(names, *axes.values())
    ]
    return pytest.mark.parametrize(("call", *axes), cases)


def two_groups(**entries: Any) -> Any:
    """An AdamW of two groups, of which only the second holds ``entries``."""
    return adamw({}, entries)


# -- targets -------------------------------------------------------------------------------------

NUMBERS: dict[str, Any] = {
    each.__name__: each
    for each in (float, int, np.float64, np.float32, np.int64, np.array, torch.tensor)
}


@through(*SCHEDULES, kind=NUMBERS)
def test_every_real_number_can_be_scheduled(call: Call, kind: str) -> None:
    opt = sgd(*({"clip": NUMBERS[kind](3.0)} for _ in range(2)))
    advance(call(opt, "clip"))
    for group in opt.param_groups:
        assert group["clip"] == 1.5
        assert type(group["clip"]) is (torch.Tensor if kind == "tensor" else float)
        assert type(group["initial_clip"]) in (int, float) or kind == "tensor"


class Weights(NamedTuple):  # its constructor takes the elements one by one
    first: float
    second: float


ENTRIES_WITH_ELEMENTS: dict[str, tuple[Any, str, Any]] = {
    "tuple": ((1.0, 2.0, 4.0), "weights[1]", (1.0, 1.0, 4.0)),
    "list": ([1.0, 2.0, 4.0], "weights[1]", [1.0, 1.0, 4.0]),
    "named tuple": (Weights(1.0, 2.0), "weights[1]", Weights(1.0, 1.0)),
    "two digits": ((1.0,) * 12, "weights[10]", (*(1.0,) * 10, 0.5, 1.0)),
}


@through(*SCHEDULES, kind=ENTRIES_WITH_ELEMENTS)
def test_an_element_moves_alone(call: Call, kind: str) -> None:
    """The type of the entry and its other elements stay, and an entry that groups share too."""
    shared, target, moved = ENTRIES_WITH_ELEMENTS[kind]
    before = copy.copy(shared)
    opt = sgd({"weights": shared}, {"weights": shared})
    advance(call(opt, target))
    assert held(opt, "weights") == [moved, moved]
    assert {type(each) for each in held(opt, "weights")} == {type(shared)}
    assert shared == before


@through(*SCHEDULES)
def test_a_tensor_is_filled_in_place(call: Call) -> None:
    """A tensor in a tuple stays the same object, and one that is recorded as its initial value."""
    lr, betas = torch.tensor(0.5), (torch.tensor(0.5), 0.999)
    # torch < 2.4 puts the tensor itself under initial_lr, which is not a second target.
    opt = sgd({"lr": lr, "initial_lr": lr, "betas": betas})
    for target in ("lr", "betas[0]"):
        advance(call(opt, target), 2)
    (group,) = opt.param_groups
    assert group["lr"] is lr
    assert group["betas"] is betas
    assert lr.item() == betas[0].item() == 0.125


# -- invalid targets -----------------------------------------------------------------------------


def tensor_of_inference_mode() -> torch.Tensor:
    with torch.inference_mode():
        return torch.tensor(1.0)


def as_shown(value: Any) -> str:
    return str(value.dtype) if torch.is_tensor(value) else repr(value)


INVALID_ENTRIES: dict[str, tuple[Any, type[Exception], str]] = {
    **{name: (value, error, as_shown(value)) for name, (value, error) in INVALID_VALUES.items()},
    "None": (None, TypeError, "None"),
    "a dict": ({}, TypeError, "{}"),
    "an array": (np.array([1.0]), TypeError, "array([1.])"),
    "tuple": ((0.9, 0.999), TypeError, "'entry[0]'"),
    "list": ([0.9, 0.999], TypeError, "'entry[0]'"),
    "1-dim tensor": (torch.ones(1), TypeError, "shape (1,)"),
    "NumPy bool": (np.bool_(True), TypeError, "True"),
    "NaN tensor": (torch.tensor(math.nan), ValueError, "nan"),
    "without data": (torch.ones((), device="meta"), TypeError, "on the meta device"),
    "learned": (torch.tensor(1.0, requires_grad=True), ValueError, "gradient"),
    "inference": (tensor_of_inference_mode(), ValueError, "inference_mode"),
}


@through(*SCHEDULE_IT, entry=INVALID_ENTRIES)
def test_an_entry_that_a_schedule_cannot_drive_is_refused(call: Call, entry: str) -> None:
    value, error, shown = INVALID_ENTRIES[entry]
    opt = adamw({"entry": 1.0}, {"entry": value})
    before = [dict(group) for group in opt.param_groups]
    with pytest.raises(error) as raised:
        call(opt, "entry")
    assert "'entry' in param group 1" in raised.value.args[0]
    assert shown in raised.value.args[0]
    for group, its_entries in zip(opt.param_groups, before):
        assert [*group] == [*its_entries]
        assert all(group[key] is each for key, each in its_entries.items())
    if entry == "inference":  # and nowhere else it can be filled
        with torch.inference_mode():
            call(opt, "entry")


MALFORMED = ["[-1]", "[]", "[a]", "[0", "0]", "[0.5]", "[00]"]
INVALID_TARGETS: list[tuple[Any, type[Exception], str]] = [
    *(
        (target, TypeError, r"^(schedule_target|name): .*'betas\[0\]'")
        for target in (None, True, 0, 1.5, ["lr"], ("lr",), b"lr")
    ),
    *(
        (target, ValueError, r"^(schedule_target|name): .*'betas\[0\]'")
        for target in ("", "[0]", *(f"betas{end}" for end in MALFORMED))
    ),
    *((target, TypeError, "'params' are what is optimized") for target in ("params", "params[0]")),
    *(
        (target, KeyError, "is not in param group")
        for target in ("betas[2]", "betas[7]", "lr[0]", "nothing[0]")
    ),
]


@through(*ALL, invalid=INVALID_TARGETS)
def test_an_invalid_target_is_refused(call: Call, invalid: Any, untouched: Untouched) -> None:
    """It is no name, malformed, what is optimized, or a missing element, which no default adds."""
    target, error, says = invalid
    opt = two_groups()
    with untouched(opt), pytest.raises(error, match=says) as raised:
        call(opt, target)
    message = str(raised.value.args[0])
    assert repr(target) in message or "params" in target
    assert "default_value" not in message


MISSING: dict[str, str] = {
    "gradient_clip": "'gradient_clip' is not in param groups 0, 1. ",
    "weight_decy": "'weight_decy' is not in param groups 0, 1; did you mean 'weight_decay'?",
    "lrr": "'lrr' is not in param groups 0, 1; did you mean 'lr'?",
    "beta[0]": "'beta[0]' is not in param groups 0, 1; did you mean 'betas'?",
    # Never ``params``, nor a key that is not a string, nor a recorded initial value.
    "param": "'param' is not in param groups 0, 1. ",
    "initial_x": "'initial_x' is not in param groups 0, 1. ",
}


@through(*NEED_IT, target=MISSING)
def test_an_unknown_target_is_refused(call: Call, target: str, untouched: Untouched) -> None:
    """The error names target, groups and the closest name, and both ways to add an entry."""
    opt = two_groups()
    opt.param_groups[0].update({3: 1.0, "initial_xy": 1.0})
    with untouched(opt), pytest.raises(KeyError) as raised:
        call(opt, target)
    message = raised.value.args[0]
    assert message.startswith(MISSING[target])
    assert "initial_xy" not in message
    for says in ("default_value", f"extend_optimizer(optimizer, {target!r}, value)"):
        assert says in message or "[" in target


@through("curve", "proxy", "factory")
def test_a_target_that_one_group_lacks_is_refused(call: Call, untouched: Untouched) -> None:
    opt = two_groups(clip=1.0)
    says = r"'clip' is not in param group 0\..*default"
    with untouched(opt), pytest.raises(KeyError, match=says):
        call(opt, "clip")


# -- invalid optimizers --------------------------------------------------------------------------

NOT_OPTIMIZERS: dict[str, Any] = {
    "a model": torch.nn.Linear(2, 1),
    "its parameters": [Parameter(torch.ones(1))],
    "a class": torch.optim.AdamW,
    "None": None,
    "a bool": True,
    "a string": "AdamW",
    "a number": 0.1,
    "a dict": {"param_groups": []},
    "an object with other param_groups": SimpleNamespace(param_groups=[Parameter(torch.ones(1))]),
    "an object with a count of them": SimpleNamespace(param_groups=2),
}


@through(*ALL, kind=NOT_OPTIMIZERS)
def test_a_value_that_is_not_an_optimizer_is_refused(call: Call, kind: str) -> None:
    value = NOT_OPTIMIZERS[kind]
    with pytest.raises(TypeError, match=r"optimizer: expected .*param_groups") as raised:
        call(value, "lr")
    assert f"got {type(value).__name__}" in str(raised.value)


@through(*ALL)
def test_an_optimizer_without_groups_is_refused(call: Call) -> None:
    with pytest.raises(ValueError, match=r"optimizer: .* no param groups"):
        call(SimpleNamespace(param_groups=[]), "lr")
    schedule = put_curve(SimpleNamespace(param_groups=[{"lr": 0.5}]))
    schedule.optimizer.param_groups.clear()
    with pytest.raises(ValueError, match=r"optimizer: .* no param groups"):
        schedule.step()


@pytest.mark.parametrize(
    ("name", "proxied", "target"),
    [
        ("proxy", "weight_decay", "lr"),
        ("factory", "weight_decay", "lr"),
        ("curve", "lr", "weight_decay"),
        ("extend", "weight_decay", "weight_decay"),
    ],
)
def test_a_proxy_has_one_target(name: str, proxied: str, target: str, untouched: Untouched) -> None:
    """No proxy can be put on a proxy, and a curve can only drive its lr."""
    opt = two_groups()
    proxy = tsa_core.ProxyOptimizer(opt, proxied)
    with untouched(opt), pytest.raises(ValueError, match="is a proxy already"):
        CALLS[name](proxy, target)


# -- optimizers that are not torch's ---------------------------------------------------------------


class ForwardingWrapper:
    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.inner = optimizer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class RebuildingOptimizer:
    """Builds a new list of groups at each access, as an optimizer of several optimizers does."""

    def __init__(self, *temperatures: float) -> None:
        self.parts: list[Any] = [{"params": [], "temperature": each} for each in temperatures]

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [*self.parts]


@pytest.mark.parametrize("put", [put_curve, put])
def test_a_wrapper_that_forwards_is_an_optimizer(put: Any) -> None:
    """A schedule on a wrapper moves the optimizer inside, and its ``optimizer`` is the wrapper."""
    wrapper = ForwardingWrapper(sgd(lr=0.8, momentum=0.8))
    sync = tsa_core.SynchronousSchedule([put(wrapper, "momentum")])
    assert sync.optimizer is wrapper
    advance(sync, 2)
    assert held(wrapper.inner, "momentum") == pytest.approx([0.2], rel=1e-12)
    assert sync.get_last_lr() == [0.8]


@pytest.mark.parametrize("put", [put_curve, put])
def test_the_groups_of_a_rebuilt_list_need_no_lr(put: Any) -> None:
    """Only reading the lr is a ``KeyError``. A new dict and a group that joins are followed."""
    optimizer = RebuildingOptimizer(2.0, 4.0)
    sync = tsa_core.SynchronousSchedule([put(optimizer, "temperature")])
    sync.step()
    assert sync.get_last_schedule("temperature") == [1.0, 2.0]
    says = r"no 'lr'.* get_last_schedule\(name\) with one of \['temperature'\]"
    with pytest.raises(KeyError, match=says):
        sync.get_last_lr()
    with pytest.raises(KeyError, match="'lr' is not in param groups 0, 1"):
        sync.base_lrs
    old = optimizer.parts[0]
    optimizer.parts[0] = dict(old)
    optimizer.parts.append({"params": [], "temperature": 8.0})
    sync.step()
    third = 8.0 * (0.25 if put is put_curve else 0.5)
    assert sync.get_last_schedule("temperature") == [0.5, 1.0, third]
    assert old["temperature"] == 1.0


ZERO_REDUNDANCY = """
import os, sys
import torch
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.optim.lr_scheduler import ExponentialLR
import tsa_core

torch.distributed.init_process_group("gloo", init_method=sys.argv[1], rank=0, world_size=1)
optimizer = ZeroRedundancyOptimizer(
    [torch.nn.Parameter(torch.ones(1))], torch.optim.AdamW, lr=0.8, weight_decay=0.08
)
schedules = [
    tsa_core.arbitrary_schedule_factory(optimizer, lambda proxy: ExponentialLR(proxy, 0.5)),
    tsa_core.CurveSchedule(optimizer, lambda t: 0.5**t, "weight_decay"),
]
for _ in range(2):
    optimizer.step()
    for schedule in schedules:
        schedule.step()
optimizer.step()  # copies the values of its groups to the optimizer inside
for each in (optimizer, optimizer.optim):
    print(each.param_groups[0]["lr"], each.param_groups[0]["weight_decay"])
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.skipif(
    not torch.distributed.is_available(), reason="this torch was built without distributed"
)
def test_a_zero_redundancy_optimizer_is_scheduled(tmp_path: Path) -> None:
    """Schedules move the groups of a ``ZeroRedundancyOptimizer``, and see its steps."""
    # The process leaves without destroying its group. In torch 2.0 that can wait forever: with the
    # GIL, it waits for a thread that needs the GIL (ProcessGroupGloo::~ProcessGroupGloo).
    place = f"file://{tmp_path}/rendezvous"
    done = subprocess.run(
        [sys.executable, "-W", "error:Detected call", "-c", ZERO_REDUNDANCY, place],
        capture_output=True,
        text=True,
        timeout=300,
    )
    # Gloo writes a line of its own first in torch 2.9.
    assert done.stdout.splitlines()[-2:] == ["0.2 0.02"] * 2, done.stderr


@across(put=[put_curve, put], has_defaults=[False, True])
def test_defaults_that_cannot_be_set_are_no_obstacle(put: Any, has_defaults: bool) -> None:
    """A tensor is scheduled also where the object's defaults are ``None`` or read-only."""
    value = torch.tensor(0.5)
    optimizer: Any = SimpleNamespace(
        param_groups=[{"params": [], "lr": value}],
        defaults=MappingProxyType({"lr": value}) if has_defaults else None,
    )
    put(optimizer, "lr").step()
    assert float(optimizer.param_groups[0]["lr"]) == 0.25


# -- unusual names and tensors -------------------------------------------------------------------


class Name(str, enum.Enum):
    DECAY = "weight_decay"
    CLIP = "clip"


@pytest.mark.parametrize("name", [Name.DECAY, np.str_("weight_decay")])
def test_an_instance_of_a_subclass_of_str_is_the_same_name(name: Any) -> None:
    """An Enum formats as ``Name.DECAY``, but the plain string is recorded and saved."""
    opt = two_groups()
    schedule = put_curve(opt, name)
    assert "initial_weight_decay" in opt.param_groups[0]
    assert type(schedule.schedule_target) is str
    assert put_curve(opt, "weight_decay").base_lrs == schedule.base_lrs
    tsa_core.extend_optimizer(opt, Name.CLIP, 1.0)
    assert {type(key) for key in opt.param_groups[0]} == {str}


SHARED: dict[str, tuple[str, Any]] = {
    "two entries": ("entry", lambda one: {"entry": one, "other": one}),
    "and in a tuple": ("entry", lambda one: {"entry": one, "pair": (0.9, one)}),
    "and in a list": ("entry", lambda one: {"entry": one, "pair": [0.9, one]}),
    "twice in a tuple": ("pair[0]", lambda one: {"pair": (one, one)}),
    "element and entry": ("pair[0]", lambda one: {"pair": (one, 0.9), "other": one}),
}


@through(*SCHEDULES, where=SHARED)
def test_a_tensor_under_two_names_moves_under_the_target_alone(call: Call, where: str) -> None:
    target, entries = SHARED[where]
    one = torch.tensor(0.5)
    opt = sgd(entries(one))
    advance(call(opt, target))
    (moved,) = held(opt, target)
    assert (float(moved), float(one)) == (0.25, 0.5)
    (group,) = opt.param_groups
    assert any(one is each for each in (group.get("other"), *group.get("pair", ())))


@across(
    value=[math.nan, math.inf, "0.5", None, torch.ones(2), True],
    how=["loaded", "joined"],
    as_kind=[float, torch.tensor, torch.tensor],
)
def test_a_recorded_initial_value_that_is_not_a_number_is_refused(
    value: Any, how: str, as_kind: Any, untouched: Untouched
) -> None:
    """A step and a new schedule refuse it, also of the last group, and say how to set it."""
    opt = adamw_with("weight_decay", as_kind(0.5), as_kind(0.25))
    schedule = put_curve(opt, "weight_decay")
    advance(schedule)
    if how == "loaded":
        state = copy.deepcopy(opt.state_dict())
        state["param_groups"][1]["initial_weight_decay"] = value
        opt.load_state_dict(state)
    else:
        add_group(opt, weight_decay=as_kind(0.125), initial_weight_decay=value)
    opt.step()
    says = (
        "the initial value of 'weight_decay', 'initial_weight_decay' .*"
        rf"{re.escape(str(value))}.*extend_optimizer\(optimizer, 'weight_decay'"
    )
    error = ValueError if isinstance(value, float) else TypeError
    calls: list[Any] = [partial(make, opt, "weight_decay") for make in (put_curve, put)]
    if value is not True:  # in a product, True is 1
        calls.append(schedule.step)
    for call in calls:
        with untouched(opt), pytest.raises(error, match=says):
            call()
    assert schedule.last_epoch == 1


def test_any_entry_can_be_read() -> None:
    """Flags, tuples and all else; a tensor that is learned can be set too, although not driven."""
    learned = Parameter(torch.tensor(0.5))
    opt = two_groups(flag=True, note="text", learned=learned)
    group = opt.param_groups[1]
    for key in ("flag", "note", "betas", "learned"):
        regrouped = tsa_core.get_param_groups_regrouped_by_key(opt, key)
        assert regrouped[-1] == (group[key], group["params"], group)
    sync = tsa_core.SynchronousSchedule([put_curve(opt, "weight_decay")])
    opt.param_groups[0]["lr"] = learned
    assert sync.get_last_lr() == [0.5, 0.001]
    tsa_core.extend_optimizer(opt, "learned", 0.25, overwrite_values=True)
    assert group["learned"] is learned
    assert learned.item() == 0.25
    del group["params"]
    with pytest.raises(KeyError, match="'params' is not in param group 1, which has 'flag'"):
        tsa_core.get_param_groups_regrouped_by_key(opt, "flag")
