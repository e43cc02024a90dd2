"""Optimizers for a plan without a model: of a class in torch, or with assumed initial values."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import torch

from tsa_core import torch_schedulers
from tsa_core.targets.driven import OTHERS
from tsa_core.targets.target import Target

from ..checks import instead
from .read import is_one_curve

OPTIMIZERS: Mapping[str, Any] = {
    name: each
    for name, each in vars(torch.optim).items()
    if inspect.isclass(each) and issubclass(each, torch.optim.Optimizer) and name != "Optimizer"
}
"""The optimizers in torch by name."""


def takes(name: str) -> dict[str, Any]:
    """Return the defaults of the numbers that an optimizer in torch takes, by name."""
    defaults = {
        key: each.default
        for key, each in inspect.signature(OPTIMIZERS[name].__init__).parameters.items()
        if key not in ("self", "params", "foreach", "fused")
    }
    return {key: each for key, each in defaults.items() if each is not None and each is not False}


# -- what a plan says of the optimizers that it is for ---------------------------------------------


def optimizer_names(plan: object) -> list[str]:
    """Return the names before the slashes of the keys; empty for a plan of one optimizer."""
    keys = [key for key in plan if isinstance(key, str)] if isinstance(plan, Mapping) else []
    return [*dict.fromkeys(key.partition("/")[0] for key in keys if "/" in key)]


def entries_of(plan: object, name: str) -> dict[str, Any]:
    """Return the entries of one optimizer, by target; ``name`` is empty if it is alone."""
    prefix = f"{name}/" if name else ""
    return {
        key.removeprefix(prefix): each
        for key, each in (plan.items() if isinstance(plan, Mapping) else ())
        if isinstance(key, str) and key.startswith(prefix) and isinstance(each, Mapping)
    }


def group_names(entries: Mapping[str, Any]) -> list[str]:
    """Return a name for each param group that the entries need; empty for one without a name."""
    names: dict[str, None] = {}
    count, has_others = 0, True
    for each in entries.values():
        for value in _per_group(each):
            if isinstance(value, Mapping):
                names |= dict.fromkeys(name for name in value if isinstance(name, str))
                has_others = has_others and OTHERS in value
            else:
                count = max(count, len(value))
    names.pop(OTHERS, None)
    least = len(names) + 1 if has_others else len(names)
    return [*names, *[""] * (max(count, least, 1) - len(names))]


def _per_group(description: Any) -> Iterator[Any]:
    """Yield the mappings and lists of an entry that have one element per param group."""
    if not isinstance(description, Mapping):
        return
    curve = description.get("curve")
    form = torch_schedulers().get(str(description.get("scheduler")))
    settings = form.settings if form else {}
    lists = [
        description.get(key) for key, each in settings.items() if each.kind == "number per group"
    ]
    for value in (curve, *lists):
        is_mapping = isinstance(value, Mapping) and value and not is_one_curve(value)
        if is_mapping or (isinstance(value, Sequence) and not isinstance(value, (str, bytes))):
            yield value
    parts = description.get("schedulers")
    for part in parts if isinstance(parts, Sequence) else ():
        yield from _per_group(part)


# -- an optimizer ----------------------------------------------------------------------------------

# A multiple of it is exact, because it is a power of 2; and betas and momentums stay below 1.
_SMALL = 2.0**-60

_MOST_ELEMENTS = 100


def is_multiple(description: Mapping[Any, Any]) -> bool:
    """True if the entry gives multiples of an initial value that the plan does not have."""
    return "default_value" not in description and description.get("absolute") is not True


def assumed_optimizer(entries: Mapping[str, Any]) -> Any:
    """Return an optimizer that has what the entries drive and follow.

    The initial values are 1, or less where 1 is too much.
    """
    initials: dict[Target, float] = {}
    for name, each in entries.items():
        source = each.get("follows")
        for key in (name, source.rpartition("/")[2] if isinstance(source, str) else name):
            described = entries.get(key, {})
            try:
                target = Target.parse(key)
            except (TypeError, ValueError):
                continue  # from_plan says what is wrong
            if "default_value" not in described:
                bounded = target.key in ("betas", "momentum")
                small = _SMALL if key in entries and "scheduler" not in described else 0.5
                initials[target] = small if bounded else 1.0
    # The betas are for a scheduler that cycles the momentum.
    common: dict[str, Any] = {"betas": [0.5, 0.5]}
    for target, initial in initials.items():
        held = common.setdefault(target.key, initial if target.index is None else [])
        if target.index is not None and isinstance(held, list):
            place = min(target.index, _MOST_ELEMENTS - 1)
            held += [0.5] * (place + 1 - len(held))
            held[place] = initial
    groups = []
    for name in group_names(entries):
        copied = {key: [*each] if isinstance(each, list) else each for key, each in common.items()}
        groups.append({**copied, "params": [], **({"name": name} if name else {})})
    return SimpleNamespace(param_groups=groups, defaults={"betas": (0.5, 0.5)})


def torch_optimizer(
    name: str, given: Mapping[str, Sequence[float]], entries: Mapping[str, Any]
) -> Any:
    """Return the optimizer ``name`` of torch with the numbers that are given.

    Args:
        name: one of :data:`OPTIMIZERS`.
        given: numbers by ``"lr"``, ``"betas"``, ``"betas[0]"``, or ``"lr/head"`` for one group.
        entries: of the plan, which says how many param groups there are.

    Raises:
        ValueError: the optimizer does not take one of them, or refuses its value.
    """
    known, names = takes(name), group_names(entries)
    # Muon wants two dimensions.
    groups: list[dict[str, Any]] = [
        {"params": [torch.nn.Parameter(torch.zeros(1, 1))], **({"name": each} if each else {})}
        for each in names
    ]
    common: dict[str, Any] = {}  # the constructor checks these, and not those of a group
    for key, numbers in given.items():
        whole, _, group = key.partition("/")
        entry, _, index = whole.partition("[")
        if entry not in known:
            raise ValueError(f"{key}: {name} takes no {entry!r}; {instead(entry, known)}")
        if group and group not in names:
            raise ValueError(f"{key}: the plan names no group {group!r}; {instead(group, names)}")
        holder = groups[names.index(group)] if group else common
        held = holder.get(entry, common.get(entry, known[entry]))
        holder[entry] = _with(key, held, index, numbers)
    try:
        return OPTIMIZERS[name](groups, **common)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from None


def _with(key: str, held: Any, index: str, numbers: Sequence[float]) -> Any:
    """Return what an entry holds after an element of it, or all of it, was given."""
    if not index and isinstance(held, tuple):
        if len(numbers) != len(held):
            raise ValueError(f"{key}: expected {len(held)} numbers, such as {key}=0.9,0.99")
        return tuple(numbers)
    if len(numbers) != 1 or bool(index) != isinstance(held, tuple):
        raise ValueError(f"{key}: expected one number for {'an element' if index else 'it'}")
    if not index:
        return numbers[0]
    position = index.removesuffix("]")
    if not position.isdecimal() or int(position) >= len(held):
        raise ValueError(f"{key}: expected an element from 0 to {len(held) - 1}")
    return tuple(numbers[0] if i == int(position) else each for i, each in enumerate(held))
