"""Entries that an optimizer does not have yet, and the loop that reads them."""

from __future__ import annotations

import contextlib
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn import Parameter

from ._proxy import refuse_proxy
from ._target import OptimizerLike, Target, groups_of, real_number

OptimizerT = TypeVar("OptimizerT", bound=OptimizerLike)


def extend_optimizer(
    optimizer: OptimizerT,
    name: str,
    default_value: float | Tensor,
    overwrite_values: bool = False,
) -> OptimizerT:
    """Add the entry ``name`` to each param group that lacks it.

    Args:
        optimizer: a ``torch.optim.Optimizer``, or anything that keeps ``param_groups`` as one does.
        name: the entry to add, such as ``"gradient_clip_threshold"``; with ``overwrite_values``
            also an element of a tuple that is there, ``"betas[0]"``.
        default_value: its value, a finite real number. A 0-dim floating-point tensor makes the
            entry a tensor, a clone a group, which schedules then fill in place: a compiled step
            follows it without compiling again.
        overwrite_values: set the value where the entry exists too; a tensor that is there is
            filled with a number in place. The value becomes the initial value from which
            curve schedules of the entry count, and others that are built after it.

    Returns:
        ``optimizer``, extended in place.

    Raises:
        TypeError: ``default_value`` is not a real number, ``overwrite_values`` not a bool, ``name``
            not a string or ``"params"``, or what would be overwritten is no number (a flag, a
            whole tuple).
        ValueError: ``default_value`` is NaN, infinite, or more than the tensor can hold that is to
            be filled with it; ``name`` is malformed; or ``optimizer`` is a proxy.
        KeyError: ``name`` is an element of a tuple that a group does not have.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> extend_optimizer(optimizer, "gradient_clip_threshold", 10.0).param_groups[0][
        ...     "gradient_clip_threshold"
        ... ]
        10.0
    """
    target = Target.parse(name, "name")
    groups = groups_of(optimizer)
    refuse_proxy(optimizer)
    value = checked_default(default_value)
    if not isinstance(overwrite_values, bool):
        raise TypeError(f"overwrite_values: expected True or False, got {overwrite_values!r}")
    if target.index is not None:  # a tuple cannot be made out of one element
        target.check_present(groups)
    if overwrite_values:
        for i, group in enumerate(groups):
            if target.is_in(group):
                with contextlib.suppress(ValueError):  # NaN and infinity may well be replaced
                    target.check_value(target.read(group), i)
                _check_fits(value, target.read(group), i)
    with torch.no_grad():  # the tensor that is there may be one that is learned
        if overwrite_values:  # which fills it
            target.unshare(optimizer, [group for group in groups if target.is_in(group)])
        for group in groups:
            if not target.is_in(group):
                target.replace(group, _own(value))
            elif overwrite_values:
                had_initial = target.has_initial(group)
                # A number goes into a tensor that is there; a new tensor takes the place of either.
                put = target.replace if isinstance(value, Tensor) else target.write
                put(group, _own(value))
                if had_initial:
                    group[target.initial_key] = real_number(value)
    return optimizer


def _check_fits(value: float | Tensor, held: object, i: int) -> None:
    if isinstance(value, Tensor) or not isinstance(held, Tensor):
        return
    if abs(value) > torch.finfo(held.dtype).max:
        raise ValueError(
            f"default_value: {value!r} is more than the {held.dtype} tensor in param group {i} can "
            "hold; give a tensor, which takes its place"
        )


def _own(value: float | Tensor) -> float | Tensor:
    return value.clone() if isinstance(value, Tensor) else value


def checked_default(default_value: object) -> float | Tensor:
    if isinstance(default_value, Tensor) and not (
        default_value.ndim == 0 and default_value.is_floating_point()
    ):
        raise TypeError(
            "default_value: expected a number or a 0-dim floating-point tensor, got a "
            f"{default_value.dtype} tensor of shape {tuple(default_value.shape)}"
        )
    try:
        number = real_number(default_value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"default_value: {error}; expected a finite real number") from None
    return default_value.detach() if isinstance(default_value, Tensor) else number


def get_param_groups_regrouped_by_key(
    optimizer: OptimizerLike, schedule_target: str
) -> list[tuple[Any, list[Parameter], dict[str, Any]]]:
    """The present value of an entry beside the parameters that it is for.

    Args:
        optimizer: a ``torch.optim.Optimizer``, or anything that keeps ``param_groups`` as one does.
        schedule_target: the entry to read, such as ``"gradient_clip_threshold"`` or ``"betas[0]"``.

    Returns:
        ``(value, params, group)`` for each param group that has the entry, in the optimizer's
        order: the value, the group's list of parameters, and the group itself.

    Raises:
        KeyError: no param group has the entry.
        TypeError: the entry is not a real number (``bool``, ``None``, a whole tuple, …).
        ValueError: it is NaN or infinite, or its name is malformed.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> for lr, params, group in get_param_groups_regrouped_by_key(optimizer, "lr"):
        ...     print(lr, len(params), group["lr"])
        0.1 1 0.1
    """
    target = Target.parse(schedule_target)
    groups = groups_of(optimizer)
    having: Any = {i: group for i, group in enumerate(groups) if target.is_in(group)}
    if not having:
        target.check_present(groups)
    for i, group in having.items():
        target.check_value(target.read(group), i)
    return [(target.read(group), group["params"], group) for group in having.values()]
