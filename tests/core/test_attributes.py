"""Attributes of any object are scheduled as the entries of a param group are."""

from __future__ import annotations

import argparse
import copy
import re
from collections import OrderedDict, UserDict
from collections.abc import Callable
from dataclasses import make_dataclass
from functools import partial
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from cases import crossed
from helpers import halving, plateau, put, put_curve, same, sgd, through_a_file, through_pickle
from torch.optim.lr_scheduler import OneCycleLR

import tsa_core
from tsa_core import CurveSchedule, DerivedSchedule, SynchronousSchedule, attributes


class Plain:
    def __init__(self, p: Any) -> None:
        self.p = p


class Slots:
    __slots__ = ("p",)

    def __init__(self, p: Any) -> None:
        self.p = p


class Property:
    """Keeps the value elsewhere, as an algorithm does that stores a logarithm."""

    def __init__(self, p: float) -> None:
        self.values = [p]

    @property
    def p(self) -> float:
        return self.values[-1]

    @p.setter
    def p(self, value: float) -> None:
        self.values.append(value)


class Setter:
    """Sees each value that is set, and keeps it in another place."""

    def __init__(self, p: float) -> None:
        self.p = p

    def __setattr__(self, name: str, value: Any) -> None:
        vars(self)[f"kept_{name}"] = value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("kept_") or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self, f"kept_{name}")


class Buffer(torch.nn.Module):
    p: torch.Tensor

    def __init__(self, p: float) -> None:
        super().__init__()
        self.register_buffer("p", torch.tensor(p, dtype=torch.float64))


class Named(NamedTuple):
    p: float = 0.8


class Wrapper:
    """Reads from an inner object what it does not have, as wrappers of environments do."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


KINDS: dict[str, Callable[[float], Any]] = {
    "object": Plain,
    "SimpleNamespace": lambda p: SimpleNamespace(p=p),
    "argparse": lambda p: argparse.Namespace(p=p),
    "module": torch.nn.Dropout,
    "buffer": Buffer,
    "slots": Slots,
    "property": Property,
    "a __setattr__": Setter,
    "class attribute": lambda p: type("Config", (), {"p": p})(),  # until it is set
    "class": lambda p: type("Config", (), {"p": p}),
    "dict": lambda p: {"p": p},
    "OrderedDict": lambda p: OrderedDict(p=p),
    "UserDict": lambda p: UserDict(p=p),
}


def read(owner: Any) -> float:
    return float(owner["p"] if hasattr(owner, "keys") else owner.p)


def dropouts(*rates: float) -> list[torch.nn.Dropout]:
    return [torch.nn.Dropout(rate) for rate in rates or (0.8,)]


def rates(objects: list[torch.nn.Dropout]) -> list[float]:
    return [each.p for each in objects]


def halving_from_8(t: float) -> float:
    return 0.8 * 0.5**t


PUT: dict[str, Callable[[Any], Any]] = {
    "curve": lambda o: put_curve(o, "p"),
    "values": lambda o: CurveSchedule(o, halving_from_8, "p", absolute=True),
    "a list": lambda o: CurveSchedule(o, [halving], "p"),
    "factory": lambda o: put(o, "p"),
    "synchronous": lambda o: SynchronousSchedule({"objects": [put_curve(o, "p")]}),
}


@pytest.mark.parametrize(("kind", "name"), crossed(KINDS, PUT))
def test_a_schedule_moves_the_attribute_and_adds_nothing(kind: str, name: str) -> None:
    """Each kind of object gets the values in each kind of schedule, and no other attribute."""
    owner = KINDS[kind](0.8)

    def others() -> set[str]:
        return {*getattr(owner, "__dict__", owner if isinstance(owner, dict) else ())} - {"p"}

    before = others()
    handle = attributes(owner, "p")
    schedule = PUT[name](handle)
    assert read(owner) == 0.8
    for expected in (0.4, 0.2, 0.1, 0.05):
        schedule.step()
        assert read(owner) == expected
    assert others() == before
    if kind == "buffer":  # it stays a tensor, and a number cannot be assigned
        return
    exponential, curve = put(handle, "p"), put_curve(handle, "p")
    to_the_owner = owner.__setitem__ if hasattr(owner, "keys") else partial(setattr, owner)
    for write in (handle.param_groups[0].__setitem__, to_the_owner):
        write("p", 0.6)
        assert read(owner) == 0.6
        assert curve.get_last_lr() == [0.6]
        exponential.step()  # from the value that was set by hand
        assert read(owner) == 0.3
    curve.step()  # from the initial value
    assert read(owner) == 0.4
    assert others() == before


def test_a_step_does_not_call_the_slow_setter_of_a_module(monkeypatch: Any) -> None:
    """A float of a module is written into its dict, which takes a fraction of the time."""
    modules = dropouts(*[0.8] * 3)
    names = ("curve", "values", "factory")
    schedules = [PUT[name](attributes(each, "p")) for name, each in zip(names, modules)]
    monkeypatch.setattr(torch.nn.Module, "__setattr__", None, raising=False)
    for schedule in schedules:
        schedule.step()
    assert rates(modules) == [0.4, 0.4, 0.4]


BY_NAME = {"b": halving, "*": lambda t: 1.0 + t}
LIKE_GROUPS: dict[str, Callable[[Any], list[Any]]] = {
    "one curve": lambda o: [put_curve(o, "p")],
    "a negative one": lambda o: [CurveSchedule(o, lambda t: 1 - 0.8 * t, "p")],
    "one per group": lambda o: [CurveSchedule(o, [halving, None, lambda t: -0.5 * t], "p")],
    "by name": lambda o: [CurveSchedule(o, BY_NAME, "p")],
    "values by name": lambda o: [CurveSchedule(o, BY_NAME, "p", absolute=True)],
    "all chosen": lambda o: [CurveSchedule(o, halving, "p", where=lambda g: g["q"] > 0)],
    "some chosen": lambda o: [CurveSchedule(o, halving, "p", where=lambda g: g["q"] > 0.5)],
    "derived": lambda o: [
        DerivedSchedule(o, lambda m: m**2 - 0.5, "q", of="p"),
        put_curve(o, "p"),
    ],
    "derived values": lambda o: [
        DerivedSchedule(o, lambda p: 1 - p, "q", of="p", absolute=True),
        put_curve(o, "p"),
    ],
    "derived alone": lambda o: [DerivedSchedule(o, lambda m: 2 * m, "q", of="p")],
    "an element": lambda o: [DerivedSchedule(o, same, "s[0]", of="p"), put_curve(o, "p")],
}


@pytest.mark.parametrize("name", LIKE_GROUPS)
def test_objects_get_the_numbers_of_param_groups(name: str, monkeypatch: Any) -> None:
    """Objects have the values of param groups that hold the same, and no other entries."""
    numbers = ((0.8, 0.25), (0.4, 1.0), (0.1, 3.0))
    initials: list[dict[str, Any]] = [{"p": p, "q": q, "s": (0.5, 1.0)} for p, q in numbers]
    groups = sgd(*({**each, "name": n} for each, n in zip(initials, "abc")))
    objects = [SimpleNamespace(**each) for each in initials]
    handle = attributes(objects, "p", "q", "s[0]", group_names=["a", "b", "c"])
    both = [SynchronousSchedule(LIKE_GROUPS[name](each)) for each in (groups, handle)]
    groups.step()
    for i in range(6):
        if i == 3:  # both are seen by the next step
            groups.param_groups[1]["p"] = objects[1].p = 0.7
        for each in both:
            each.step()
        assert [vars(each) for each in objects] == [
            {key: group[key] for key in "pqs"} for group in groups.param_groups
        ]
    if name in ("a negative one", "by name", "values by name", "derived"):
        # Records are read from a list of all, which takes a fraction of the time.
        monkeypatch.setattr(type(handle.param_groups[0]), "__getitem__", None)
        both[1].step()


def test_another_kind_of_value_or_dict_is_seen() -> None:
    """An object may get a tensor, an int or another dict, and a lost attribute is an error."""
    owner = SimpleNamespace(p=0.8)
    schedule = put_curve(attributes(owner, "p"), "p")
    schedule.step()
    owner.p = 1
    schedule.step()
    assert owner.p == 0.2
    owner.p = tensor = torch.tensor(0.7)
    schedule.step()
    assert float(tensor) == pytest.approx(0.1)
    plain = Plain(0.8)
    schedule = put_curve(attributes(plain, "p"), "p")
    schedule.step()
    plain.__dict__ = {"p": 0.5}
    schedule.step()
    assert plain.p == 0.2
    del plain.p
    with pytest.raises(KeyError, match="'p' is not in param group 0: the object has lost it"):
        schedule.step()
    assert schedule.last_epoch == 2


def test_a_buffer_is_filled_and_a_parameter_refused() -> None:
    """The tensor stays the same object; one that is learned, or named twice, is an error."""
    module = Buffer(0.8)
    tensor = module.p
    put_curve(attributes(module, "p"), "p").step()
    assert module.p is tensor
    assert float(tensor) == 0.4
    module = torch.nn.Module()
    module.scale = torch.nn.Parameter(torch.tensor(1.0))
    with pytest.raises(ValueError, match="'scale' of Module is a tensor that requires a gradient"):
        attributes(module, "scale")
    put_curve(attributes(module.requires_grad_(False), "scale"), "scale").step()
    assert float(module.scale) == 0.5
    shared = [SimpleNamespace(p=tensor), SimpleNamespace(p=tensor)]
    with pytest.raises(ValueError, match=r"'p' of object 1 .* the same tensor as 'p' of object 0"):
        attributes(shared, "p")


Frozen = make_dataclass("Frozen", ["p"], frozen=True)
ReadOnly = type("ReadOnly", (), {"p": property(lambda _: 0.8)})
ERRORS: dict[str, tuple[Any, tuple[Any, ...], type[Exception], str]] = {
    "missing": (SimpleNamespace(beta=1.0), ("betta",), AttributeError, "'betta'.*mean 'beta'"),
    "missing entry": ({"beta": 1.0}, ("betta",), KeyError, "'betta'.*mean 'beta'"),
    "in a list": ([Plain(1.0), torch.nn.ReLU()], ("p",), AttributeError, r"object 1 \(ReLU\).*'p'"),
    "model": (torch.nn.Sequential(torch.nn.Dropout()), ("p",), AttributeError, "modules in it"),
    "optimizer": (sgd(), ("lr",), AttributeError, "'lr'; pass an optimizer to the schedule"),
    "inner": (SimpleNamespace(), ("loss.beta",), AttributeError, r"\(object.loss, 'beta'\)"),
    "bool": (torch.nn.Dropout(), ("inplace",), TypeError, "'inplace' of Dropout: False"),
    "None": (Plain(None), ("p",), TypeError, "'p' of Plain: None"),
    "str": ({"p": "1.0"}, ("p",), TypeError, "'p' of dict: '1.0'"),
    "NaN": (Plain(float("nan")), ("p",), ValueError, "'p' of Plain: nan is not finite"),
    "tuple": (Plain((1.0, 2.0)), ("p",), TypeError, r"name one element, 'p\[0\]'"),
    "no element": (Plain((1.0, 2.0)), ("p[2]",), TypeError, r"no 'p\[2\]' of Plain"),
    "matrix": (torch.nn.Linear(2, 2), ("weight",), TypeError, r"shape \(2, 2\)"),
    "frozen": (Frozen(0.8), ("p",), AttributeError, "'p' of Frozen cannot be set: .*assign"),
    "read-only": (ReadOnly(), ("p",), AttributeError, "'p' of ReadOnly cannot be set"),
    "NamedTuple": (Named(), ("p",), AttributeError, "'p' of Named cannot be set"),
    "constant mapping": (MappingProxyType({"p": 1.0}), ("p",), AttributeError, "cannot be set"),
    "forwarded": (Wrapper(Plain(1.0)), ("p",), AttributeError, "read from another object"),
    "empty slot": (Slots.__new__(Slots), ("p",), AttributeError, "'p'; it is declared"),
    "no object": ([], ("p",), ValueError, "at least one object"),
    "no name": (Plain(1.0), (), ValueError, "at least one attribute"),
    "no string": (Plain(1.0), (["p"],), TypeError, r"names: .*got \['p'\]"),
    "name twice": (Plain(1.0), ("p", "p"), ValueError, "'p' is given twice"),
    "record": (SimpleNamespace(p=1.0, initial_p=1.0), ("p", "initial_p"), ValueError, "initial_p"),
    "object twice": ([{"p": 1.0}] * 2, ("p",), ValueError, "object 1 .* same .* object 0"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_what_cannot_be_scheduled_is_an_error_at_the_call(case: str) -> None:
    """The error names the object and the attribute, and nothing is set on the object."""
    owner, names, error, says = ERRORS[case]
    before = copy.copy(getattr(owner, "__dict__", None))
    with pytest.raises(error, match=says):
        attributes(owner, *names)
    assert getattr(owner, "__dict__", None) == before


def test_names_of_groups_are_checked() -> None:
    """There is one string per object."""
    refused: Any = [(["a"], ValueError), ([1, 2], TypeError), ("ab", ValueError), (3, TypeError)]
    for names, error in refused:
        with pytest.raises(error, match="group_names"):
            attributes(dropouts(0.8, 0.4), "p", group_names=names)


def test_what_goes_with_an_optimizer_alone_is_refused() -> None:
    """Nothing steps an object, no entry is added to it, and each attribute has one owner."""
    objects = dropouts()
    handle = attributes(objects, "p")
    with pytest.raises(TypeError, match="because nothing steps it"):
        tsa_core.OptimizerSteps(handle)
    for call in (put_curve, lambda *entry: tsa_core.extend_optimizer(*entry, 1.0)):
        with pytest.raises(KeyError, match=r"'q' is not in .* attributes\(object, 'q'\)"):
            call(handle, "q")
    for owners, key in ((objects, "p"), ({"{p}": 0.5}, "{p}")):
        schedules = {name: [put_curve(attributes(owners, key), key)] for name in "ab"}
        says = f"'a/{key}' and 'b/{key}' use the same '{key}' of an object through two calls of"
        with pytest.raises(ValueError, match=re.escape(says)):
            SynchronousSchedule(schedules)
    with pytest.raises(RuntimeError, match="two of them schedule 'p'"):
        SynchronousSchedule([put_curve(handle, "p"), put_curve(handle, "p")])


def test_a_second_call_for_a_moved_attribute_warns() -> None:
    """It starts from the present value; ``extend_optimizer`` sets a value to start from."""
    objects = dropouts(0.8)
    put_curve(attributes(objects, "p"), "p")
    attributes(objects, "p")  # it holds the initial value
    first = put_curve(attributes(objects, "p"), "p")
    first.step()
    with pytest.warns(UserWarning, match=r"'p' of object 0 \(Dropout\) is 0.4, .* from 0.8"):
        second = put_curve(attributes(objects, "p"), "p")
    assert second.base_lrs == [0.4]
    tsa_core.extend_optimizer(second.optimizer, "p", 0.6, overwrite_values=True)
    assert rates(objects) == [0.6]
    second.step()
    assert rates(objects) == [0.3]
    del first, second
    attributes(objects, "p")


def test_a_failed_call_leaves_the_objects() -> None:
    """A factory that fails, and a value that is infinite, move nothing."""
    objects = dropouts(0.8, 0.4)
    handle = attributes(objects, "p")

    def fail(proxy: Any) -> Any:
        proxy.param_groups[0]["lr"] = 0.1
        raise RuntimeError("of the factory")

    with pytest.raises(RuntimeError, match="of the factory"):
        put(handle, "p", fail)
    assert rates(objects) == [0.8, 0.4]
    assert [dict(group) for group in handle.param_groups] == [{"p": 0.8}, {"p": 0.4}]
    schedule = CurveSchedule(handle, lambda t: 1.0 if t < 1 else float("inf"), "p")
    with pytest.raises(ValueError, match="inf is not finite"):
        schedule.step()
    assert (rates(objects), schedule.last_epoch) == ([0.8, 0.4], 0)


@pytest.mark.parametrize(
    ("name", "duplicate"),
    crossed(["values", "factory", "synchronous"], [copy.deepcopy, through_pickle]),
)
def test_a_copy_moves_its_own_object(name: str, duplicate: Any) -> None:
    """Model and schedule copied together: only the copied model moves, from the same record."""
    model = torch.nn.Sequential(torch.nn.Dropout(0.8))
    schedule = PUT[name](attributes(model[0], "p"))
    schedule.step()
    other, its_schedule = duplicate((model, schedule))
    its_schedule.step()
    assert (model[0].p, other[0].p) == (0.4, 0.2)
    duplicate(schedule).step()
    schedule.step()
    assert (model[0].p, other[0].p) == (0.2, 0.2)


def run(rate: float = 0.8) -> tuple[list[torch.nn.Dropout], SynchronousSchedule]:
    """Curves on two dropouts and on ``lr``, and a plateau that another attribute follows."""
    objects = dropouts(rate, rate / 2)
    config = SimpleNamespace(tau=rate, strength=1.0)
    first = attributes(iter(objects), "p", group_names=["stem", "head"])
    second, optimizer = attributes(config, "tau", "strength"), sgd(lr=0.5)
    sync = SynchronousSchedule(
        {
            "dropout": [CurveSchedule(first, {"stem": halving, "*": lambda t: 1 - t / 8}, "p")],
            "config": [
                put(second, "tau", plateau),
                DerivedSchedule(second, same, "strength", of="tau"),
            ],
            "sgd": [put_curve(optimizer)],
        }
    )
    optimizer.step()
    return objects, sync


@pytest.mark.parametrize(("initial", "rate"), [("saved", 0.1), ("saved", 0.8), ("same", 0.8)])
def test_a_resume_writes_the_values(initial: Any, rate: float) -> None:
    """The state has the initial values, also of a torch scheduler: nothing else is saved."""
    names = ("dropout/p/stem", "dropout/p/head", "config/tau/0", "config/strength/0", "sgd/lr/0")
    _, sync = run()
    for _ in range(3):
        sync.step(1.0)
    expected = dict(zip(names, (0.1, 0.25, 0.2, 0.25, 0.0625)))
    assert sync.get_last_scalars() == expected
    # Beside objects, the learning rate is still the optimizer's alone.
    assert (sync.get_last_lr(), sync.base_lrs) == ([0.0625], [0.5])
    objects, resumed = run(rate)
    state = through_a_file(sync.state_dict())
    if rate != 0.8:  # the initial values in the code differ
        with pytest.raises(ValueError, match=r"were \[0.8, 0.4\].*expected the same"):
            resumed.load_state_dict(state, initial="same")
        assert rates(objects) == [rate, rate / 2]
    resumed.load_state_dict(state, initial=initial)
    assert resumed.get_last_scalars() == expected
    assert rates(objects) == [0.1, 0.25]
    expected = dict(zip(names, (0.05, 0.2, 0.1, 0.125, 0.03125)))
    for each in (sync, resumed):
        each.step(1.0)
        assert each.get_last_scalars() == expected


def test_a_preview_moves_and_copies_no_object() -> None:
    """Also where a torch scheduler is stepped ahead."""

    class Module(torch.nn.Dropout):
        def __deepcopy__(self, memo: Any) -> Any:
            raise AssertionError("copied")

    module = Module(0.8)
    handle = attributes(module, "p")
    one_cycle = put(handle, "p", lambda o: OneCycleLR(o, 0.8, total_steps=9, cycle_momentum=False))
    seen = tsa_core.preview(one_cycle, 9).values["p"]
    assert seen[0] == [module.p] == pytest.approx([0.8 / 25])
    for row in seen[1:]:
        one_cycle.step()
        assert [module.p] == row
    curve = put_curve(handle, "p")
    assert tsa_core.preview(curve, 3).values["p"] == [[module.p / 2**t] for t in range(3)]
