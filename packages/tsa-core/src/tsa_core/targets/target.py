"""A target: one entry of a param group, or one element of a tuple entry."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor

from .numbers_ import real_number

ParamGroup: TypeAlias = MutableMapping[str, Any]
Value: TypeAlias = float | Tensor


class OptimizerLike(Protocol):
    """A torch optimizer, or any object with such ``param_groups``."""

    @property
    def param_groups(self) -> Sequence[MutableMapping[str, Any]]:
        """One mapping per group, from the names of hyperparameters to their values."""


_ELEMENT = r"(?P<key>.+)\[(?P<index>0|[1-9][0-9]*)\]"

# The optimizers in torch refuse these below 0 at construction, and betas of 1 and more.
_NEVER_NEGATIVE = frozenset({"lr", "weight_decay", "momentum", "betas"})

# torch-schedule-anything 1.x kept initial values here, and its checkpoints still do.
LEGACY_KEY = "schedule_namespaces"


def groups_of(optimizer: OptimizerLike) -> Sequence[ParamGroup]:
    """Return the param groups of ``optimizer``; raise if it has none that look like torch's."""
    groups = getattr(optimizer, "param_groups", None)
    if not isinstance(groups, Sequence) or not all(
        isinstance(group, MutableMapping) for group in groups
    ):
        raise TypeError(
            "optimizer: expected a torch optimizer or an object with such param_groups "
            f"(a list of dicts), got {type(optimizer).__name__}"
        )
    if not groups:
        raise ValueError(f"optimizer: {type(optimizer).__name__} has no param groups")
    return groups


def defaults_of(optimizer: object) -> Mapping[str, Any]:
    """Return the defaults for groups added later; empty if the optimizer has none."""
    return getattr(optimizer, "defaults", None) or {}


@functools.cache
def _limits(dtype: torch.dtype) -> tuple[float, float]:
    limits = torch.finfo(dtype)
    return limits.eps, limits.max


class Target:
    """One entry of a param group (``"weight_decay"``) or of a tuple in it (``"betas[0]"``).

    It is not a dataclass, which compiles its methods at each import of this package.
    """

    __slots__ = ("index", "initial_key", "key", "name")

    def __init__(self, name: str, key: str, index: int | None) -> None:
        self.name: str = name
        self.key: str = key
        self.index: int | None = index
        self.initial_key: str = f"initial_{name}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Target) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    @classmethod
    def parse(cls, name: object, parameter: str = "schedule_target") -> Target:
        """Return the target called ``name``; errors call the argument ``parameter``."""
        if not isinstance(name, str):
            raise TypeError(
                f"{parameter}: expected the name of a param-group entry, "
                f"such as 'lr' or 'betas[0]', got {name!r} ({type(name).__name__})"
            )
        # A subclass of str (an Enum member, NumPy's str_) formats and pickles differently.
        name = str.__str__(name)
        element = re.fullmatch(_ELEMENT, name)
        if element is None and (not name or "[" in name or "]" in name):
            raise ValueError(
                f"{parameter}: expected the name of a param-group entry ('weight_decay') "
                f"or of an element of one, counted from 0 ('betas[0]'), got {name!r}"
            )
        key, index = (name, None) if element is None else (element["key"], int(element["index"]))
        if key == "params":
            raise TypeError(f"{parameter}: 'params' are what is optimized, not a hyperparameter")
        if key == LEGACY_KEY:
            raise ValueError(
                f"{parameter}: {LEGACY_KEY!r} is where torch-schedule-anything 1.x keeps initial "
                "values, and not a hyperparameter; choose a different name"
            )
        return cls(name, key, index)

    # -- the value -------------------------------------------------------------------------------

    def is_in(self, group: Mapping[str, Any]) -> bool:
        if self.key not in group:
            return False
        if self.index is None:
            return True
        entry = group[self.key]
        return isinstance(entry, (tuple, list)) and self.index < len(entry)

    def read(self, group: Mapping[str, Any]) -> Any:
        entry = group[self.key]
        return entry if self.index is None else entry[self.index]

    def read_or_none(self, groups: Iterable[ParamGroup]) -> list[Any]:
        """Return one value per group for a ``repr``, which must not raise."""
        return [self.read(group) if self.is_in(group) else None for group in groups]

    def write(self, group: ParamGroup, value: Value) -> None:
        """Set the target; a tensor is filled in place, so that captured steps see the change."""
        entry = group[self.key]  # as read does, without a call
        held = entry if self.index is None else entry[self.index]
        if not isinstance(held, Tensor):
            self.replace(group, value)
            return
        if self.initial_key in group and group[self.initial_key] is held:
            group[self.initial_key] = held.clone()  # torch 2.0 recorded the tensor itself
        held.fill_(value)

    def replace(self, group: ParamGroup, value: Value) -> None:
        """Put the object ``value`` into the group, also where the group holds a tensor."""
        if self.index is None:
            group[self.key] = value
            return
        # A new container, because the old one may be shared with other groups or the defaults.
        elements, kind = [*group[self.key]], type(group[self.key])
        elements[self.index] = value
        group[self.key] = getattr(kind, "_make", kind)(elements)  # _make: a NamedTuple

    def range_of(self, held: object) -> tuple[float, float]:
        """Return the least and the greatest value that can take the place of ``held``."""
        eps, greatest = _limits(held.dtype if isinstance(held, Tensor) else torch.float64)
        if self.key == "betas" and self.index is not None:
            return 0.0, 1.0 - eps / 2
        return (0.0 if self.is_never_negative else -greatest), greatest

    @property
    def is_never_negative(self) -> bool:
        """True if torch's optimizers refuse a negative value, and check it at construction only."""
        return self.key in _NEVER_NEGATIVE

    # -- the initial value -----------------------------------------------------------------------

    def initial(self, group: ParamGroup) -> Value:
        """Return the recorded initial value; ``KeyError`` if no schedule was put on the target."""
        if self.initial_key in group:
            recorded: Value = group[self.initial_key]
            return recorded
        legacy: Value = group[LEGACY_KEY][self.name]["initial_lr"]
        return legacy

    def has_initial(self, group: ParamGroup) -> bool:
        legacy = group.get(LEGACY_KEY, {}).get(self.name, {})
        return self.initial_key in group or "initial_lr" in legacy

    def source_key(self, derived: Target) -> str:
        """Return where ``derived`` records the initial value of this target, its source.

        ``initial_key`` in the group comes first. This one serves a source that nobody has scheduled
        yet: recorded as "initial_lr", it would change the numbers of a CyclicLR built later.
        """
        return f"{self._source_prefix}{derived.name}]"

    @property
    def _source_prefix(self) -> str:
        # With a bracket, which no name of a target has there: it is not the record of any other.
        return f"initial_{self.name}[of "

    def set_new_initial(self, group: ParamGroup, value: float) -> None:
        """Set the initial value wherever one was recorded; elsewhere the next schedule does it."""
        if self.has_initial(group):
            group[self.initial_key] = value
        for key in [*group]:
            if str(key).startswith(self._source_prefix):
                group[key] = value

    def initial_or_present(self, group: ParamGroup) -> float:
        """Return the initial value that a schedule built now would start from."""
        if not self.has_initial(group):
            return real_number(self.read(group), f"{self.name!r} in a param group: ")
        return real_number(
            self.initial(group),
            f"the initial value of {self.name!r}, {self.initial_key!r} in its param group: ",
            f". To set a new one, call extend_optimizer(optimizer, {self.name!r}, value, "
            "overwrite_values=True)",
        )


def range_in_words(value: float, low: float, high: float) -> str:
    """Return where ``value``, which is out of its range, must be, for an error."""
    return "0 or more" if value < low == 0 and high > 1 else f"from {low!r} to {high!r}"


def parsed(name: str | Target, parameter: str = "schedule_target") -> Target:
    """Return the target called ``name``; a target that somebody has parsed already is returned."""
    return name if isinstance(name, Target) else Target.parse(name, parameter)
