"""Which entries of a param group can be a target, which cannot, and what an optimizer is."""

from __future__ import annotations

import copy
import enum
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import ExponentialLR

import tsa_core

Untouched = Callable[[Any], AbstractContextManager[None]]


def halve(t: float) -> float:
    return 0.5**t


# Everything that takes an optimizer and the name of a target.


def curve(opt: Any, target: Any) -> Any:
    return tsa_core.CurveSchedule(opt, halve, target)


def proxy(opt: Any, target: Any) -> Any:
    return tsa_core.ProxyOptimizer(opt, target)


def factory(opt: Any, target: Any) -> Any:
    return tsa_core.arbitrary_schedule_factory(
        opt, lambda proxy: ExponentialLR(proxy, 0.5), schedule_target=target
    )


def factory_with_default(opt: Any, target: Any) -> Any:
    return tsa_core.arbitrary_schedule_factory(
        opt, lambda proxy: ExponentialLR(proxy, 0.5), 1.0, target
    )


def regrouped(opt: Any, target: Any) -> Any:
    return tsa_core.get_param_groups_regrouped_by_key(opt, target)


def extend(opt: Any, target: Any) -> Any:
    return tsa_core.extend_optimizer(opt, target, 1.0)


Call = Callable[[Any, Any], Any]


def over(*calls: Call) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("call", calls, ids=[call.__name__ for call in calls])


schedules = over(curve, factory)
need_it_in_every_group = over(curve, proxy, factory)
need_it_somewhere = over(curve, proxy, factory, regrouped)
need_a_number = over(curve, proxy, factory, factory_with_default, regrouped)
all_calls = over(curve, proxy, factory, factory_with_default, regrouped, extend)


def parameter() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.ones(2))


def optimizer(**entries: Any) -> Any:
    """Two groups, whose first holds no other entries than torch's."""
    return torch.optim.AdamW([{"params": [parameter()]}, {"params": [parameter()], **entries}])


# -- what can be a target -------------------------------------------------------------------

REAL_NUMBERS: dict[str, Any] = {
    "float": 3.0,
    "int": 3,
    "NumPy float": np.float64(3.0),
    "NumPy single": np.float32(3.0),
    "NumPy int": np.int64(3),
    "0-dim array": np.array(3.0),
    "0-dim tensor": torch.tensor(3.0),
}


@pytest.mark.parametrize("value", REAL_NUMBERS.values(), ids=REAL_NUMBERS.keys())
@schedules
def test_every_real_number_can_be_scheduled(call: Call, value: Any) -> None:
    """Whatever scalar it comes in, the entry ends at half after one step of a halving schedule."""
    groups = [{"params": [parameter()], "clip": copy.deepcopy(value)} for _ in range(2)]
    opt = torch.optim.SGD(groups, lr=0.1)
    schedule = call(opt, "clip")
    opt.step()
    schedule.step()
    for group in opt.param_groups:
        assert group["clip"] == 1.5
        assert type(group["clip"]) is (torch.Tensor if torch.is_tensor(value) else float)


@pytest.mark.parametrize("kind", [tuple, list])
@schedules
def test_an_element_moves_alone(call: Call, kind: Callable[[Any], Any]) -> None:
    """A tuple stays a tuple and a list a list, with the neighbours as they were."""
    opt = torch.optim.SGD([{"params": [parameter()], "weights": kind((1.0, 2.0, 4.0))}], lr=0.1)
    schedule = call(opt, "weights[1]")
    opt.step()
    schedule.step()
    assert opt.param_groups[0]["weights"] == kind((1.0, 1.0, 4.0))


@schedules
def test_an_element_beyond_the_tenth(call: Call) -> None:
    """Its number has two digits."""
    opt = torch.optim.SGD([{"params": [parameter()], "weights": (1.0,) * 12}], lr=0.1)
    schedule = call(opt, "weights[10]")
    opt.step()
    schedule.step()
    assert opt.param_groups[0]["weights"] == (*(1.0,) * 10, 0.5, 1.0)


@schedules
def test_a_list_that_groups_share_is_not_written_through(call: Call) -> None:
    """An element is replaced in a container of the group's own, not in the one that is shared."""
    shared = [1.0, 2.0]
    groups = [{"params": [parameter()], "weights": shared} for _ in range(2)]
    opt = torch.optim.SGD(groups, lr=0.1)
    schedule = call(opt, "weights[0]")
    opt.step()
    schedule.step()
    assert [group["weights"] for group in opt.param_groups] == [[0.5, 2.0], [0.5, 2.0]]
    assert shared == [1.0, 2.0]


@schedules
def test_a_tensor_in_a_tuple_is_filled_in_place(call: Call) -> None:
    """The tensor, and the tuple around it, stay the same objects."""
    betas = (torch.tensor(0.5), 0.999)
    opt = torch.optim.SGD([{"params": [parameter()], "betas": betas}], lr=0.1)
    schedule = call(opt, "betas[0]")
    opt.step()
    schedule.step()
    assert opt.param_groups[0]["betas"] is betas
    assert betas[0].item() == 0.25


@need_a_number
def test_an_optimizer_is_what_has_param_groups(call: Call) -> None:
    """A wrapper that only has ``param_groups`` will do, and so will one without ``lr``."""
    group = {"params": [parameter()], "weight_decay": 0.25}
    assert call(SimpleNamespace(param_groups=[group]), "weight_decay") is not None
    assert group["weight_decay"] == 0.25


@schedules
def test_an_optimizer_without_hooks_is_stepped_along(call: Call) -> None:
    """Nobody can tell whether it stepped, so nobody warns, and the target moves."""
    wrapper = SimpleNamespace(param_groups=[{"params": [parameter()], "weight_decay": 0.25}])
    schedule = call(wrapper, "weight_decay")
    schedule.step()
    schedule.step()
    assert wrapper.param_groups[0]["weight_decay"] == 0.0625


# -- what cannot ----------------------------------------------------------------------------

HELD: dict[str, tuple[Any, type[Exception], str]] = {
    "True": (True, TypeError, "True"),
    "None": (None, TypeError, "None"),
    "a string": ("0.5", TypeError, "'0.5'"),
    "complex": (1 + 2j, TypeError, "(1+2j)"),
    "a whole tuple": ((0.9, 0.999), TypeError, "'entry[0]'"),
    "a whole list": ([0.9, 0.999], TypeError, "'entry[0]'"),
    "a dict": ({}, TypeError, "{}"),
    "a NumPy bool": (np.bool_(True), TypeError, "True"),
    "an array": (np.array([1.0]), TypeError, "array([1.])"),
    "NaN": (float("nan"), ValueError, "nan"),
    "inf": (float("inf"), ValueError, "inf"),
    "-inf": (float("-inf"), ValueError, "-inf"),
    "a 1-dim tensor": (torch.ones(1), TypeError, "shape (1,)"),
    "an integer tensor": (torch.tensor(3), TypeError, "torch.int64"),
    "a boolean tensor": (torch.tensor(True), TypeError, "torch.bool"),
    "a complex tensor": (torch.tensor(1j), TypeError, "torch.complex64"),
    "a NaN tensor": (torch.tensor(float("nan")), ValueError, "nan"),
}


@need_a_number
@pytest.mark.parametrize(("held", "error", "said"), HELD.values(), ids=HELD.keys())
def test_an_entry_that_is_no_finite_real_number_is_refused(
    call: Call,
    held: Any,
    error: type[Exception],
    said: str,
    untouched: Untouched,
) -> None:
    """The error names the entry, the group that holds it and what it holds."""
    opt = optimizer()
    opt.param_groups[0]["entry"] = 1.0
    opt.param_groups[1]["entry"] = held
    with untouched(opt), pytest.raises(error) as raised:
        call(opt, "entry")
    message = raised.value.args[0]
    assert "'entry'" in message
    assert said in message


@all_calls
@pytest.mark.parametrize("target", [None, True, 0, 1.5, ["lr"], ("lr",), b"lr"], ids=repr)
def test_a_target_that_is_no_string_is_refused(
    call: Call, target: Any, untouched: Untouched
) -> None:
    """A ``TypeError`` names the parameter, says what came and what a target looks like."""
    opt = optimizer()
    with untouched(opt), pytest.raises(TypeError) as raised:
        call(opt, target)
    message = str(raised.value)
    assert message.startswith(("schedule_target: ", "name: "))
    assert repr(target) in message
    assert "'betas[0]'" in message


@all_calls
@pytest.mark.parametrize(
    "target",
    [
        "",
        "betas[-1]",
        "betas[]",
        "betas[a]",
        "betas[0",
        "betas0]",
        "[0]",
        "betas[0.5]",
        "betas[00]",
    ],
)
def test_a_malformed_target_is_refused(call: Call, target: str, untouched: Untouched) -> None:
    """A ``ValueError`` names the parameter, the target and the way to write one."""
    opt = optimizer()
    with untouched(opt), pytest.raises(ValueError, match=r"^(schedule_target|name): ") as raised:
        call(opt, target)
    assert repr(target) in str(raised.value)
    assert "'betas[0]'" in str(raised.value)


@all_calls
def test_params_are_no_target(call: Call, untouched: Untouched) -> None:
    """``params`` is a ``TypeError`` that says so."""
    opt = optimizer()
    with untouched(opt), pytest.raises(TypeError, match="'params'"):
        call(opt, "params")


@all_calls
@pytest.mark.parametrize("target", ["betas[2]", "betas[7]", "lr[0]", "nothing[0]"])
def test_an_element_that_is_not_there_is_refused(
    call: Call, target: str, untouched: Untouched
) -> None:
    """A ``KeyError`` names it; a default cannot add it, so the error does not offer one."""
    opt = optimizer()
    with untouched(opt), pytest.raises(KeyError) as raised:
        call(opt, target)
    assert repr(target) in raised.value.args[0]
    assert "default_value" not in raised.value.args[0]


@need_it_somewhere
def test_an_unknown_target_is_refused(call: Call, untouched: Untouched) -> None:
    """A ``KeyError`` names target and groups, and both ways to add the entry."""
    opt = optimizer()
    with untouched(opt), pytest.raises(KeyError) as raised:
        call(opt, "gradient_clip")
    message = raised.value.args[0]
    assert "'gradient_clip' is not in param groups 0, 1" in message
    assert "default_value" in message
    assert "extend_optimizer(optimizer, 'gradient_clip', value)" in message
    assert "did you mean" not in message


@need_it_somewhere
@pytest.mark.parametrize(
    ("target", "meant"), [("weight_decy", "weight_decay"), ("lrr", "lr"), ("beta[0]", "betas")]
)
def test_a_misspelt_target_is_refused_with_what_was_meant(
    call: Call, target: str, meant: str, untouched: Untouched
) -> None:
    """A ``KeyError`` offers the name that is closest."""
    opt = optimizer()
    with untouched(opt), pytest.raises(KeyError) as raised:
        call(opt, target)
    assert repr(target) in raised.value.args[0]
    assert f"did you mean {meant!r}" in raised.value.args[0]


@need_it_in_every_group
def test_a_target_that_one_group_lacks_is_refused(call: Call, untouched: Untouched) -> None:
    """The ``KeyError`` names the groups that lack it, and no other."""
    opt = optimizer(clip=1.0)
    with untouched(opt), pytest.raises(KeyError) as raised:
        call(opt, "clip")
    assert "'clip' is not in param group 0;" in raised.value.args[0].replace(".", ";")


# -- what is no optimizer -------------------------------------------------------------------

NO_OPTIMIZERS: dict[str, Any] = {
    "a model": torch.nn.Linear(2, 1),
    "its parameters": [parameter()],
    "a class": torch.optim.AdamW,
    "None": None,
    "a bool": True,
    "a string": "AdamW",
    "a number": 0.1,
    "a dict": {"param_groups": []},
    "something with other param_groups": SimpleNamespace(param_groups=[parameter()]),
    "something with a count of them": SimpleNamespace(param_groups=2),
}


@all_calls
@pytest.mark.parametrize("not_one", NO_OPTIMIZERS.values(), ids=NO_OPTIMIZERS.keys())
def test_something_that_is_no_optimizer_is_refused(call: Call, not_one: Any) -> None:
    """A ``TypeError`` says what was expected as ``optimizer`` and what came."""
    with pytest.raises(TypeError, match=r"optimizer: expected .*param_groups") as raised:
        call(not_one, "lr")
    assert f"got {type(not_one).__name__}" in str(raised.value)


@all_calls
def test_an_optimizer_without_groups_is_refused(call: Call) -> None:
    """A ``ValueError`` says so: there is nothing to schedule."""
    with pytest.raises(ValueError, match=r"optimizer: .* no param groups"):
        call(SimpleNamespace(param_groups=[]), "lr")


def test_a_proxy_of_a_proxy_is_refused() -> None:
    """A ``ValueError`` says that it is one already, and leaves it as it was."""
    proxy = tsa_core.ProxyOptimizer(optimizer(), "weight_decay")
    with pytest.raises(ValueError, match="proxy already"):
        tsa_core.arbitrary_schedule_factory(proxy, lambda p: ExponentialLR(p, 0.5))


# -- names and values that are almost what they seem ------------------------------------------


class Name(str, enum.Enum):
    DECAY = "weight_decay"
    CLIP = "clip"


@pytest.mark.parametrize("name", [Name.DECAY, np.str_("weight_decay")])
def test_a_string_of_another_class_is_the_same_name(name: Any) -> None:
    """An Enum's formats as ``Name.DECAY``; what is recorded and saved is the plain string."""
    opt = optimizer()
    schedule = tsa_core.CurveSchedule(opt, halve, name)
    assert "initial_weight_decay" in opt.param_groups[0]
    assert type(schedule.schedule_target) is str
    assert tsa_core.CurveSchedule(opt, halve, "weight_decay").base_lrs == schedule.base_lrs
    tsa_core.extend_optimizer(opt, Name.CLIP, 1.0)
    assert {type(key) for key in opt.param_groups[0]} == {str}


@all_calls
def test_a_parameter_is_no_target(call: Call, untouched: Untouched) -> None:
    """Neither all of them, nor one."""
    opt = torch.optim.SGD([torch.tensor(2.0), torch.tensor(3.0)], lr=0.1)
    with untouched(opt), pytest.raises(TypeError, match="'params' are what is optimized"):
        call(opt, "params[0]")
    assert opt.param_groups[0]["params"][0] == 2.0


@schedules
@pytest.mark.parametrize(
    ("target", "entries", "neighbour"),
    [
        ("entry", lambda one: {"entry": one, "other": one}, lambda group: group["other"]),
        ("entry", lambda one: {"entry": one, "pair": (0.9, one)}, lambda group: group["pair"][1]),
        ("entry", lambda one: {"entry": one, "pair": [0.9, one]}, lambda group: group["pair"][1]),
        ("pair[0]", lambda one: {"pair": (one, one)}, lambda group: group["pair"][1]),
        ("pair[0]", lambda one: {"pair": (one, 0.9), "other": one}, lambda group: group["other"]),
    ],
    ids=["two entries", "and in a tuple", "and in a list", "twice in a tuple", "element and entry"],
)
def test_one_tensor_under_two_names(call: Call, target: str, entries: Any, neighbour: Any) -> None:
    """The neighbour keeps it, and its value."""
    one = torch.tensor(0.5)
    opt = torch.optim.SGD([{"params": [parameter()], **entries(one)}], lr=0.1)
    schedule = call(opt, target)
    opt.step()
    schedule.step()
    (group,) = opt.param_groups
    moved = group["entry"] if target == "entry" else group["pair"][0]
    assert (float(moved), float(one)) == (0.25, 0.5)
    assert neighbour(group) is one


@schedules
def test_an_initial_value_that_is_the_tensor_itself(call: Call) -> None:
    """As torch < 2.4 records it for ``lr``: it is no other name, and the tensor stays."""
    lr = torch.tensor(0.5)
    opt = torch.optim.SGD([{"params": [parameter()], "lr": lr, "initial_lr": lr}], lr=0.1)
    schedule = call(opt, "lr")
    for _ in range(2):
        opt.step()
        schedule.step()
    assert opt.param_groups[0]["lr"] is lr
    assert lr.item() == 0.125


class Betas(NamedTuple):
    first: float
    second: float


@schedules
def test_a_named_tuple_stays_one(call: Call) -> None:
    """Its constructor takes the elements one by one."""
    opt = optimizer(betas=Betas(0.5, 0.999))
    schedule = call(opt, "betas[0]")
    opt.step()
    schedule.step()
    assert opt.param_groups[1]["betas"] == Betas(0.25, 0.999)
    assert type(opt.param_groups[1]["betas"]) is Betas


@over(curve, proxy, factory, factory_with_default)
def test_a_tensor_that_is_learned_is_refused(call: Call, untouched: Untouched) -> None:
    """A schedule would write over it."""
    opt = optimizer(entry=torch.tensor(1.0, requires_grad=True))
    opt.param_groups[0]["entry"] = 1.0
    with untouched(opt), pytest.raises(ValueError, match=r"'entry' in param group 1 .*gradient"):
        call(opt, "entry")


@over(curve, factory)
@pytest.mark.parametrize(("bad", "error"), [(float("nan"), ValueError), (None, TypeError)])
def test_a_recorded_initial_value_that_is_no_number(
    call: Call, bad: Any, error: type[Exception], untouched: Untouched
) -> None:
    """The error names it, and how to set another."""
    opt = optimizer()
    opt.param_groups[0]["initial_lr"] = bad
    says = rf"the initial value of 'lr', 'initial_lr' .*{bad}.*extend_optimizer\(optimizer, 'lr'"
    with untouched(opt), pytest.raises(error, match=says):
        call(opt, "lr")


def test_the_librarys_own_entries_are_no_suggestion() -> None:
    """A target that went away leaves its initial value behind, which nobody meant."""
    opt = optimizer()
    tsa_core.CurveSchedule(opt, halve, "weight_decay")
    del opt.param_groups[0]["weight_decay"]
    with pytest.raises(KeyError) as raised:
        tsa_core.CurveSchedule(opt, halve, "weight_decay")
    assert "initial" not in raised.value.args[0]


def test_what_can_be_no_target_is_no_suggestion() -> None:
    """Neither the parameters, nor an entry whose key is no string."""
    opt = optimizer()
    opt.param_groups[0][3] = 1.0
    with pytest.raises(KeyError, match="'param' is not in param groups 0, 1") as raised:
        tsa_core.CurveSchedule(opt, halve, "param")
    assert "did you mean" not in raised.value.args[0]


def test_the_group_that_holds_no_number_is_counted_among_all() -> None:
    """Also where others lack the entry."""
    opt = optimizer(flag=True)
    with pytest.raises(TypeError, match="'flag' in param group 1"):
        tsa_core.get_param_groups_regrouped_by_key(opt, "flag")


@over(curve, extend)
def test_nothing_but_its_lr_is_put_on_a_proxy(call: Call, untouched: Untouched) -> None:
    """Anything else would stay in the proxy, where the optimizer never sees it."""
    opt = optimizer()
    with untouched(opt), pytest.raises(ValueError, match="is a proxy already"):
        call(tsa_core.ProxyOptimizer(opt, "lr"), "weight_decay")


def test_a_tensor_that_is_learned_can_be_read_and_set() -> None:
    """Training code reads it, and nobody schedules it."""
    learned = torch.nn.Parameter(torch.tensor(0.5))
    opt = optimizer(entry=learned)
    assert regrouped(opt, "entry") == [
        (learned, opt.param_groups[1]["params"], opt.param_groups[1])
    ]
    sync = tsa_core.SynchronousSchedule([curve(opt, "weight_decay")])
    opt.param_groups[0]["lr"] = learned
    assert sync.get_last_lr() == [0.5, 0.001]
    tsa_core.extend_optimizer(opt, "entry", 0.25, overwrite_values=True)
    assert opt.param_groups[1]["entry"] is learned
    assert learned.item() == 0.25
