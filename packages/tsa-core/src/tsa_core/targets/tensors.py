"""Targets that are tensors: one tensor per group, and what a captured step can see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..messages import warn_user
from .target import OptimizerLike, ParamGroup, Target, defaults_of


def give_each_group_its_own_tensor(
    target: Target, optimizer: OptimizerLike, groups: Sequence[ParamGroup]
) -> None:
    """Clone a tensor that several groups share: filling it would move all of them."""
    _give_defaults_their_own_tensor(target, defaults_of(optimizer), groups)
    owners: dict[int, ParamGroup] = {}
    for group, value in zip(groups, target.read_or_none(groups)):
        if not isinstance(value, Tensor):
            continue
        owner = owners.setdefault(id(value), group)
        if owner is not group or any(other is value for other in _other_values(target, group)):
            target.replace(group, value.clone())
            # A group that joined with the optimizer's default tensor starts where the other
            # groups started, because a schedule has moved that tensor since.
            if target.has_initial(owner) and not target.has_initial(group):
                group[target.initial_key] = target.initial(owner)


def are_of_one_kind(tensors: Iterable[Tensor]) -> bool:
    """True if these are tensors that can be filled, of one type; ``AttributeError`` for others."""
    kinds = {(each.dtype, each.ndim, each.requires_grad, each.is_inference()) for each in tensors}
    return len(kinds) == 1 and next(iter(kinds))[1:] == (0, False, False)


def share_a_tensor(target: Target, groups: Sequence[ParamGroup]) -> bool:
    """True if two groups hold the same tensor, so that to fill one moves both."""
    ids = [id(value) for value in target.read_or_none(groups) if isinstance(value, Tensor)]
    return len({*ids}) < len(ids)


def _give_defaults_their_own_tensor(
    target: Target, defaults: Any, groups: Sequence[ParamGroup]
) -> None:
    """Keep the value that the groups began with in ``defaults``, for a group that joins later."""
    known = isinstance(defaults, MutableMapping) and target.is_in(defaults)
    default = target.read(defaults) if known else None
    if not isinstance(default, Tensor):
        return
    for group in groups:
        if target.is_in(group) and target.read(group) is default:
            target.replace(defaults, default.clone())
            if target.has_initial(group):  # a schedule has moved the shared tensor since
                target.read(defaults).fill_(target.initial(group))
            return


def _other_values(target: Target, group: ParamGroup) -> Iterator[object]:
    """Yield everything else that the group holds, each element of a tuple by itself."""
    for key, entry in group.items():
        if key == target.initial_key or (key == target.key and target.index is None):
            continue
        elements = entry if isinstance(entry, (tuple, list)) else (entry,)
        yield from (
            element for i, element in enumerate(elements) if (key, i) != (target.key, target.index)
        )


def as_held(values: list[Any], held: object) -> list[Any]:
    """Return ``values`` as they will be in the place of ``held``: a tensor rounds them.

    None stands for a group that is left alone.
    """
    if not isinstance(held, Tensor) or None in values:
        return values
    exact = torch.tensor(values, dtype=torch.float64, device="cpu")
    return exact.to(held.dtype).tolist()


def warn_if_captured_step_ignores(
    target: Target, optimizer: OptimizerLike, driven: Sequence[ParamGroup]
) -> None:
    """Warn if a captured step would keep the present value and ignore the schedule."""
    # A captured step contains only what the optimizer's own step reads.
    if target.key not in defaults_of(optimizer):
        return
    for group in driven:
        if group.get("capturable") is True and not _replays_read(target, group):
            kind = "tensor on the CPU" if isinstance(target.read(group), Tensor) else "float"
            warn_user(
                f"{target.name!r} is a {kind} in a param group with capturable=True: a captured "
                "step keeps the value it was captured with. Make it a tensor on the device of "
                f"the parameters: extend_optimizer(optimizer, {target.name!r}, "
                "torch.tensor(value, device=...), overwrite_values=True)"
            )
            return


def _replays_read(target: Target, group: ParamGroup) -> bool:
    """True if a replayed step reads the value again: its kernels hold a tensor, not a number."""
    value = target.read(group)
    return isinstance(value, Tensor) and (
        value.device.type != "cpu"
        or all(parameter.device.type == "cpu" for parameter in group.get("params", ()))
    )
