"""Attributes of any object, as something that schedules take for an optimizer."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence, ValuesView
from types import ModuleType
from typing import Any
from weakref import WeakValueDictionary

from torch import Tensor
from torch.nn import Module

from .messages import warn_user
from .targets.checks import check_held, did_you_mean
from .targets.numbers_ import real_number
from .targets.objects import Missing, ObjectGroup, ObjectGroups
from .targets.target import OptimizerLike, Target

# By the id of an object, which a group keeps alive, the group that was made of it last. It serves a
# warning alone: no value depends on whether an earlier group still lives.
_of_object: WeakValueDictionary[int, ObjectGroup] = WeakValueDictionary()


class Attributes:
    """The result of :func:`attributes`: one param group per object."""

    param_groups: ObjectGroups

    def __init__(self, groups: ObjectGroups) -> None:
        self.param_groups = groups

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {list(self.param_groups)}>"


def attributes(
    objects: object, /, *names: str, group_names: Iterable[str] | None = None
) -> OptimizerLike:
    """Return a stand-in for an optimizer, whose entries are attributes of any object.

    Each object is a param group, and each named attribute is an entry of the group. A schedule
    reads the entry from the object and writes it to the object. The initial values are kept in the
    group, and nothing is added to the object. The state of a schedule has the initial and the
    present values, and a load writes them. So there is nothing else to save. The state of a plain
    torch scheduler does not do this: put the scheduler into a :class:`SynchronousSchedule`.

    Call ``attributes`` once for an object, with all names. A second call takes the present values
    as initial values.

    Args:
        objects: an object, such as a module or a ``SimpleNamespace``, or a dict; or a list, a tuple
            or an iterator of such objects. A list has one param group for each.
        names: the attributes, or the entries of the dict. Each holds a finite real number, or a
            0-dim floating-point tensor, which is filled in place. ``"scale[0]"`` is an element of a
            tuple or a list. Schedules take the same names as ``schedule_target``.
        group_names: the ``"name"`` of each param group, for curves by name and for
            ``get_last_scalars``.

    Returns:
        An object with ``param_groups``. A copy of a schedule moves copies of the objects.

    Raises:
        AttributeError: an object lacks the attribute, or the attribute cannot be set.
        KeyError: a dict lacks the entry.
        TypeError: the value is not a real number (``bool``, ``None``, a whole tuple), or a name is
            not a string.
        ValueError: the value is NaN or infinite, or a tensor that requires a gradient.
        ValueError: there are no objects or no names, or one is given twice.
        ValueError: two attributes are the same tensor.
        ValueError: ``group_names`` does not have one name for each object.

    If the call raises, no value has changed. If setting the attribute runs code of the
    object, such as a property's, the present value is set once, to check that the object takes it.

    Warns:
        UserWarning: a schedule on an earlier result for the same object has moved the attribute.

    Example:
        >>> import torch
        >>> from tsa_core import CurveSchedule
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.5))
        >>> dropouts = [each for each in model.modules() if isinstance(each, torch.nn.Dropout)]
        >>> schedule = CurveSchedule(attributes(dropouts, "p"), lambda t: 0.5**t, "p")
        >>> schedule.step()
        >>> model[1].p
        0.25
    """
    targets = _targets_of(names)
    keys = [*dict.fromkeys(target.key for target in targets)]
    owners, words = _in_words(objects)
    columns = {"name": _names_of(group_names, len(owners), keys)}
    _check_apart(zip(owners, words), "object")
    for owner, word in zip(owners, words):
        for key in keys:
            _check_is_there(owner, key, word)
    entries = frozenset(keys)
    groups = ObjectGroups([ObjectGroup(o, entries, columns, i) for i, o in enumerate(owners)])
    places = [
        (group, target, f"{target.name!r} of {word}")
        for group, word in zip(groups, words)
        for target in targets
    ]
    for group, target, where in places:
        if not target.is_in(group):
            raise TypeError(
                f"attributes: there is no {where}; {target.key!r} is {group[target.key]!r}"
            )
        check_held(target, target.read(group), where)
    held = [(target.read(group), where) for group, target, where in places]
    _check_apart([each for each in held if isinstance(each[0], Tensor)], "tensor")
    for group, target, where in places:
        _check_can_be_set(group, target, where)
    _warn_if_moved(places)
    _of_object.update((id(group.owner), group) for group in groups)
    return Attributes(groups)


def _targets_of(names: Sequence[object]) -> list[Target]:
    if not names:
        raise ValueError("names: expected at least one attribute, as in attributes(dropout, 'p')")
    for name in names:
        if not isinstance(name, str):
            raise TypeError(
                f"names: expected names of attributes, as in attributes(dropout, 'p'), got {name!r}"
            )
    targets = [Target.parse(name, "names") for name in names]
    for target in targets:
        if targets.count(target) > 1:
            raise ValueError(f"names: {target.name!r} is given twice")
        if any(target.initial_key == other.key for other in targets):
            raise ValueError(
                f"names: {target.initial_key!r} is where schedules keep the initial value of "
                f"{target.name!r}. Schedule it through a separate call"
            )
    return targets


def _in_words(objects: Any) -> tuple[list[Any], list[str]]:
    """Return the objects, and what each is called in messages: a model's ``repr`` is long."""
    are_several = isinstance(objects, (list, Iterator, ValuesView)) or (
        isinstance(objects, tuple) and not hasattr(objects, "_fields")  # a NamedTuple has names
    )
    if not are_several:
        return [objects], [_kind(objects)]
    owners = [*objects]
    if not owners:
        raise ValueError("attributes: expected at least one object, got an empty list")
    return owners, [f"object {i} ({_kind(owner)})" for i, owner in enumerate(owners)]


def _kind(owner: object) -> str:
    return (owner if isinstance(owner, (type, ModuleType)) else type(owner)).__name__


def _names_of(group_names: Iterable[str] | None, number: int, keys: Sequence[str]) -> list[Any]:
    if group_names is None:
        return [Missing] * number
    if not isinstance(group_names, Iterable):
        raise TypeError(f"group_names: expected a list of strings, got {group_names!r}")
    names = [group_names] if isinstance(group_names, str) else [*group_names]
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"group_names: expected strings, got {name!r}")
    if len(names) != number:
        raise ValueError(f"group_names: got {len(names)} for {number} objects: {names}")
    if "name" in keys:
        raise ValueError("group_names: a group cannot have a 'name' beside the attribute 'name'")
    return names


def _check_apart(things: Iterable[tuple[object, str]], kind: str) -> None:
    first: dict[int, str] = {}
    for thing, word in things:
        other = first.setdefault(id(thing), word)
        if other is not word:
            raise ValueError(
                f"attributes: {word} is the same {kind} as {other}, so that two param groups would "
                "write into one place. Name it once"
            )


def _check_is_there(owner: Any, key: str, word: str) -> None:
    if isinstance(owner, Mapping):
        if key not in owner:
            raise KeyError(f"attributes: {word} has no entry {key!r}{did_you_mean(key, owner)}")
        return
    if not hasattr(owner, key):
        raise AttributeError(
            f"attributes: {word} has no attribute {key!r}{_what_instead(owner, key)}"
        )


def _what_instead(owner: object, key: str) -> str:
    if isinstance(owner, Module) and any(hasattr(each, key) for each in owner.modules()):
        return (
            "; modules in it have one: pass "
            f"[module for module in model.modules() if hasattr(module, {key!r})]"
        )
    if isinstance(getattr(owner, "param_groups", None), Sequence):
        return "; pass an optimizer to the schedule itself, not to attributes()"
    if "." in key:
        *path, last = key.split(".")
        return f"; name the inner object, as in attributes(object.{'.'.join(path)}, {last!r})"
    if key in dir(owner):  # a slot, or an annotation
        return "; it is declared and holds nothing yet, so set it first"
    return did_you_mean(key, dir(owner))


def _check_can_be_set(group: ObjectGroup, target: Target, where: str) -> None:
    """Raise if the attribute cannot be set, or if what is set is not what is read."""
    owner, key = group.owner, target.key
    held = target.read(group)
    if isinstance(held, Tensor):  # it is filled in place
        return
    is_found = group.is_dict or inspect.getattr_static(owner, key, group) is not group
    if is_found and key in group.plain_names:
        return
    try:
        group[key] = group[key]
    except Exception as error:
        raise AttributeError(f"attributes: {where} cannot be set: {error}") from error
    if not is_found and key in getattr(owner, "__dict__", ()):  # read by its __getattr__
        delattr(owner, key)
        raise AttributeError(
            f"attributes: {where} is read from another object, and setting it here would hide that "
            "value. Pass the object that holds it"
        )
    if real_number(target.read(group)) != real_number(held):
        raise AttributeError(
            f"attributes: {where} is {target.read(group)!r} after it is set to {held!r}"
        )


def _warn_if_moved(places: Sequence[tuple[ObjectGroup, Target, str]]) -> None:
    """Warn of an attribute that a schedule of an earlier call has moved from its initial value."""
    for group, target, where in places:
        earlier = _of_object.get(id(group.owner))
        if earlier is None or not target.has_initial(earlier):
            continue
        initial, held = real_number(target.initial(earlier)), real_number(target.read(group))
        if initial != held:
            warn_user(
                f"attributes: {where} is {held!r}, but a schedule on an earlier attributes(...) of "
                f"the same object has the initial value {initial!r}. Multiples will count from "
                f"{held!r}. To count from {initial!r}, build on the result of the earlier call, or "
                "set the attribute first; if the present value is meant, ignore this warning"
            )
            return
