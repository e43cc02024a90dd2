"""Which groups lack a target, what they hold instead, and the messages about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from math import isfinite
from typing import Any, TypeAlias

import torch
from torch import Tensor

from ..messages import warn_user
from .numbers_ import real_number
from .objects import ObjectGroup
from .target import ParamGroup, Target, range_in_words

# The groups that a schedule drives; None: all. A group that is left alone need not have the target.
Driven: TypeAlias = "Sequence[ParamGroup] | None"


def check_target(target: Target, groups: Sequence[ParamGroup], driven: Driven = None) -> None:
    """Raise unless every driven group holds a value of ``target`` that a schedule can drive."""
    check_present(target, groups, driven)
    for i, group in _numbered(groups, driven):
        check_held(target, target.read(group), f"{target.name!r} in param group {i}")


def check_held(target: Target, value: object, where: str) -> None:
    """Raise unless a schedule can drive ``value``, which is the target at ``where``."""
    _check_number(target, value, where)
    if not isinstance(value, Tensor):
        return
    if value.requires_grad:
        raise ValueError(
            f"{where} is a tensor that requires a gradient: a schedule would overwrite what is "
            "learned. Detach it"
        )
    if cannot_be_filled(value):
        raise ValueError(
            f"{where} is a tensor made under torch.inference_mode, which cannot be filled outside "
            "of it. Clone it"
        )


def _numbered(groups: Sequence[ParamGroup], driven: Driven) -> list[tuple[int, ParamGroup]]:
    """Return the driven groups, each with its position among all."""
    ids = {*map(id, groups if driven is None else driven)}
    return [(i, group) for i, group in enumerate(groups) if id(group) in ids]


def cannot_be_filled(value: object) -> bool:
    """True for a tensor of inference mode, outside of it."""
    is_inference = isinstance(value, Tensor) and value.is_inference()
    return is_inference and not torch.is_inference_mode_enabled()


def check_present(target: Target, groups: Sequence[ParamGroup], driven: Driven = None) -> None:
    """Raise unless every driven group has an entry for ``target``."""
    missing = [i for i, group in _numbered(groups, driven) if not target.is_in(group)]
    if missing:
        raise KeyError(_missing_message(target, groups, missing))


def check_value(target: Target, value: object, i: int) -> None:
    """Raise unless ``value``, which group ``i`` holds, is a finite real number."""
    _check_number(target, value, f"{target.name!r} in param group {i}")


def _check_number(target: Target, value: object, where: str) -> None:
    if isinstance(value, (tuple, list)):
        raise TypeError(f"{where} is the whole {value!r}: name one element, '{target.name}[0]'")
    if isinstance(value, Tensor) and (
        value.ndim != 0 or not value.is_floating_point() or value.is_meta
    ):
        place = " on the meta device, which holds no value" * value.is_meta
        raise TypeError(
            f"{where} is a {value.dtype} tensor of shape {tuple(value.shape)}{place}; "
            "a schedule fills a 0-dim floating-point tensor or sets a number"
        )
    real_number(value, f"{where}: ", "; a schedule drives a finite number")


def check_values_fit(
    target: Target, groups: Sequence[ParamGroup], values: Sequence[float | None], what: str
) -> None:
    """Raise unless each group can hold its one of the saved ``values``; None fits any group."""
    for i, (group, value) in enumerate(zip(groups, values)):
        if value is None or not target.is_in(group):
            continue
        low, high = target.range_of(target.read(group))
        number = real_number(value)
        if not low <= number <= high:
            raise ValueError(
                f"{what}: the value {value!r} of {target.name!r} in param group {i} must be "
                + range_in_words(number, low, high)
            )


def present_values(
    target: Target, groups: Sequence[ParamGroup], driven: Driven = None
) -> list[Any]:
    """Return one value per group, a copy if it is a tensor; None if the group has no entry.

    ``KeyError`` with the groups that lack it, if they are driven.
    """
    values = target.read_or_none(groups)
    if any(value is None for value in values):
        check_present(target, groups, driven)
    return [value.clone() if isinstance(value, Tensor) else value for value in values]


def present_numbers(
    target: Target, groups: Sequence[ParamGroup], driven: Driven = None
) -> list[Any]:
    """Return one Python number per group; name the driven one whose value is not finite.

    It is None in a group that is left alone and does not hold a finite number.
    """
    if target.index is None:
        with suppress(LookupError, TypeError):
            values = [group[target.key] for group in groups]
            if {*map(type, values)} == {float} and isfinite(sum(values)):
                return values
    check_present(target, groups, driven)
    numbers: list[Any] = [None] * len(groups)
    for i, held in enumerate(target.read_or_none(groups)):
        with suppress(TypeError, ValueError):
            numbers[i] = real_number(held)
    for i, group in _numbered(groups, driven):
        check_value(target, target.read(group), i)
    return numbers


def warn_if_all_zero(target: Target, driven: Sequence[ParamGroup]) -> None:
    """Warn if every initial value is 0, which no multiple can move."""
    if driven and all(target.initial_or_present(group) == 0 for group in driven):
        warn_user(
            f"{target.name!r} starts at 0 in every param group that is driven, and a multiple "
            "cannot move 0. Set it to the value that a multiple of 1 stands for, "
            f"extend_optimizer(optimizer, {target.name!r}, value, overwrite_values=True), or write "
            "absolute=True and give values instead of multiples"
        )


def warn_if_some_zero(
    target: Target, driven: Sequence[ParamGroup], groups: Sequence[ParamGroup]
) -> None:
    """Warn if absolute values go into groups that held 0, and others did not."""
    zero = [group for group in driven if target.initial_or_present(group) == 0]
    if not zero or len(zero) == len(driven):
        return
    names = [
        group["name"] if isinstance(group.get("name"), str) else f"group {i}"
        for i, group in enumerate(groups)
        if any(group is each for each in zero)
    ]
    warn_user(
        f"{target.name!r} was 0 in {', '.join(names)} and not in other param groups, and "
        "absolute=True gives all of them the same values. If those groups were meant to stay, "
        "give each group its curve: {'decay': curve, '*': None} by their names, or [curve, None]. "
        "If not, ignore this warning"
    )


def warn_if_momentum_grows(target: Target, values: Iterable[float]) -> None:
    """Warn of a momentum of 1 or more: the sum of the gradients then never fades."""
    greatest = max(values, default=0)
    if target.key == "momentum" and greatest >= 1:
        warn_user(
            f"'momentum' will be {greatest!r}. With 1 or more, old gradients never fade; if that "
            "is meant, ignore this warning"
        )


def did_you_mean(name: object, names: Iterable[object]) -> str:
    """Return the end of an error about ``name``: the closest of ``names``, or nothing."""
    texts = [each for each in names if isinstance(each, str)]
    close = difflib.get_close_matches(str(name), texts, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _missing_message(target: Target, groups: Sequence[ParamGroup], missing: list[int]) -> str:
    where = f"{target.name!r} is not in param group{'s' * (len(missing) > 1)} " + ", ".join(
        map(str, missing)
    )
    group = groups[missing[0]]
    if all(target.key in groups[i] for i in missing):
        return f"{where}: {target.key!r} is {group[target.key]!r} there"
    names = [
        key
        for key in group
        if isinstance(key, str) and key != "params" and not key.startswith("initial_")
    ]
    meant = [alias for alias in _ALIASES.get(target.name, ()) if Target.parse(alias).is_in(group)]
    kinds = (int, float, Tensor) if target.index is None else (tuple, list)
    drivable = [key for key in names if type(group[key]) in kinds]
    meant += [key for key in difflib.get_close_matches(target.key, drivable) if key not in meant]
    hint = f"; did you mean {' or '.join(map(repr, meant))}?" if meant else "."
    message = f"{where}{hint} The group has {names}."
    if isinstance(group, ObjectGroup) and target.key in group.names:
        return f"{where}: the object has lost it since attributes(...) was called. Set it again"
    if isinstance(group, ObjectGroup):
        return f"{message} To schedule an attribute, name it: attributes(object, {target.key!r})"
    if target.index is not None:
        return message
    return (
        f"{message} To add an entry of your own, which the optimizer itself does not read, pass "
        "default_value to arbitrary_schedule_factory, or call "
        f"extend_optimizer(optimizer, {target.name!r}, value) first"
    )


# Other names of hyperparameters, and the entries that torch's optimizers have for them.
_ALIASES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("wd", "decay", "weight decay", "l2"), ("weight_decay",)),
    **dict.fromkeys(("learning_rate", "learning rate", "rate"), ("lr",)),
    **dict.fromkeys(("beta1", "beta_1", "b1"), ("betas[0]",)),
    **dict.fromkeys(("beta2", "beta_2", "b2"), ("betas[1]",)),
    "momentum": ("betas[0]",),
    "epsilon": ("eps",),
}
