"""Entries that an optimizer does not have yet, and a reader of any entry."""

from __future__ import annotations

import contextlib
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn import Parameter

from .targets.checks import cannot_be_filled, check_present, check_value
from .targets.numbers_ import real_number
from .targets.objects import ObjectGroups
from .targets.stand_ins import refuse_stand_in
from .targets.target import OptimizerLike, ParamGroup, Target, groups_of, parsed, range_in_words
from .targets.tensors import give_each_group_its_own_tensor

OptimizerT = TypeVar("OptimizerT", bound=OptimizerLike)


def extend_optimizer(
    optimizer: OptimizerT,
    name: str | Target,
    default_value: float | Tensor,
    overwrite_values: bool = False,
) -> OptimizerT:
    """Add the entry ``name`` to each param group that lacks it.

    The optimizer itself does not read a new entry: your training code does.

    Args:
        optimizer: a ``torch.optim.Optimizer``, or any object with such ``param_groups``.
        name: the entry to add, such as ``"gradient_clip_threshold"``; with ``overwrite_values``
            also an element of an existing tuple, ``"betas[0]"``.
        default_value: the value of the entry, a finite real number. A 0-dim floating-point tensor
            makes the entry a tensor, one clone per group, which schedules fill in place. A compiled
            step then sees the new values without compiling again.
        overwrite_values: if true, set the value also where the entry exists. A number fills an
            existing tensor in place. The value becomes the initial value of existing curve
            schedules of the entry, and of all schedules that are built afterwards.

    Returns:
        ``optimizer``, extended in place.

    Raises:
        TypeError: ``default_value`` is not a real number, or ``overwrite_values`` is not a bool.
        ValueError: ``default_value`` is NaN, infinite or out of the range of the entry, or the
            tensor that is there cannot hold it.
        TypeError, ValueError, KeyError: ``name`` cannot be scheduled, or ``optimizer`` is a proxy:
            as :class:`CurveSchedule`, except that a new entry need not be there.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> extend_optimizer(optimizer, "gradient_clip_threshold", 10.0).param_groups[0][
        ...     "gradient_clip_threshold"
        ... ]
        10.0
    """
    target, groups = parsed(name, "name"), groups_of(optimizer)
    refuse_stand_in(optimizer)
    value = _checked_default(default_value)
    if not isinstance(overwrite_values, bool):
        raise TypeError(f"overwrite_values: expected True or False, got {overwrite_values!r}")
    # One element does not make a tuple, and nothing is added to an object.
    if target.index is not None or isinstance(groups, ObjectGroups):
        check_present(target, groups)
    holding = {i: group for i, group in enumerate(groups) if target.is_in(group)}
    for i, group in holding.items() if overwrite_values else ():
        with contextlib.suppress(ValueError):  # NaN and infinity may be replaced
            check_value(target, target.read(group), i)
        _check_fits(target, value, group, i)
    number = real_number(value)  # once, because an accelerator waits
    with torch.no_grad():  # the tensor to be filled may require a gradient
        if overwrite_values:
            give_each_group_its_own_tensor(target, optimizer, [*holding.values()])
        for group in groups:
            if target.is_in(group) and not overwrite_values:
                continue
            # A number is written into a tensor that is there; a new tensor replaces anything.
            is_new = isinstance(value, Tensor) or not target.is_in(group)
            own = value.clone() if isinstance(value, Tensor) else value
            (target.replace if is_new else target.write)(group, own)
            target.set_new_initial(group, number)
    return optimizer


def _check_fits(target: Target, value: float | Tensor, group: ParamGroup, i: int) -> None:
    """Raise unless ``value`` can take the place of what group ``i`` holds."""
    held, where = target.read(group), f"{target.name!r} in param group {i}"
    if isinstance(value, Tensor) and target.index is None:
        return
    if not isinstance(value, Tensor) and cannot_be_filled(held):
        raise ValueError(
            f"default_value: {where} is a tensor made under torch.inference_mode, which cannot be "
            "filled outside of it; give a tensor, which replaces it"
        )
    low, high = target.range_of(held)
    number = real_number(value)
    if not low <= number <= high:
        is_tensor = isinstance(held, Tensor)
        hint = f"; or give a tensor, to replace the {held.dtype} one" if is_tensor else ""
        raise ValueError(
            f"default_value: {value!r} does not fit {where}; it must be "
            f"{range_in_words(number, low, high)}{hint}"
        )


def _checked_default(default_value: object) -> float | Tensor:
    if isinstance(default_value, Tensor) and not (
        default_value.ndim == 0 and default_value.is_floating_point()
    ):
        raise TypeError(
            "default_value: expected a number or a 0-dim floating-point tensor, got a "
            f"{default_value.dtype} tensor of shape {tuple(default_value.shape)}"
        )
    number = real_number(default_value, "default_value: ", "; expected a finite real number")
    return default_value.detach() if isinstance(default_value, Tensor) else number


def get_param_groups_regrouped_by_key(
    optimizer: OptimizerLike, schedule_target: str
) -> list[tuple[Any, list[Parameter], dict[str, Any]]]:
    """Return the present value of an entry beside the parameters that it applies to.

    Args:
        optimizer: a ``torch.optim.Optimizer``, or any object with such ``param_groups``.
        schedule_target: the entry to read, such as ``"gradient_clip_threshold"`` or ``"betas[0]"``.
            Flags, tuples and any other entry can be read too.

    Returns:
        ``(value, params, group)`` for each param group that has the entry, in the optimizer's
        order: the value, the group's list of parameters, and the group itself.

    Raises:
        KeyError: no param group has the entry, or a group that has it lacks ``params``.
        ValueError: the name of the entry is malformed.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> for lr, params, group in get_param_groups_regrouped_by_key(optimizer, "lr"):
        ...     print(lr, len(params), group["lr"])
        0.1 1 0.1
    """
    target, groups = Target.parse(schedule_target), groups_of(optimizer)
    found = []
    for i, group in enumerate(groups):
        if not target.is_in(group):
            continue
        if "params" not in group:
            raise KeyError(
                f"'params' is not in param group {i}, which has {target.name!r}: there are no "
                "parameters to return"
            )
        found.append((target.read(group), group["params"], group))
    if not found:
        check_present(target, groups)
    return found  # type: ignore[return-value]  # torch's groups are dicts
