"""What a schedule drives: one entry of a param group, or one element of a tuple entry."""

from __future__ import annotations

import difflib
import math
import numbers
import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from torch import Tensor

from ._warn import warn_user

ParamGroup: TypeAlias = MutableMapping[str, Any]
Value: TypeAlias = float | Tensor


class OptimizerLike(Protocol):
    """What can be scheduled: a torch optimizer, or anything with such ``param_groups``."""

    @property
    def param_groups(self) -> Sequence[MutableMapping[str, Any]]:
        """One mapping a group, from the names of hyperparameters to their values."""


_ELEMENT = re.compile(r"(?P<key>.+)\[(?P<index>0|[1-9][0-9]*)\]")

# Where torch-schedule-anything 1.x kept initial values; its checkpoints still carry them.
LEGACY = "schedule_namespaces"


def real_number(value: object) -> float:
    """``value`` as a Python number: a finite int or float, whatever scalar type it came in.

    Python numbers are what every checkpoint format can hold; a NumPy scalar left in a group
    makes ``torch.load(weights_only=True)`` refuse the file.
    """
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{value!r} ({type(value).__name__}) is not a real number")
    try:
        number = float(value)
    except OverflowError:  # an int beyond every float
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not finite")
    return value if isinstance(value, int) else number


def groups_of(optimizer: OptimizerLike) -> Sequence[ParamGroup]:
    """The param groups of ``optimizer``: anything that keeps them as torch does."""
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
    """What a group that joins gets where it has no value of its own; a wrapper may have none."""
    return getattr(optimizer, "defaults", None) or {}


@dataclass(frozen=True, slots=True)
class Target:
    """One entry of a param group (``"weight_decay"``) or of a tuple in it (``"betas[0]"``)."""

    name: str
    key: str
    index: int | None
    initial_key: str

    @classmethod
    def parse(cls, name: object, parameter: str = "schedule_target") -> Target:
        """The target called ``name``; errors call it by the user's ``parameter``."""
        if not isinstance(name, str):
            raise TypeError(
                f"{parameter}: expected the name of a param-group entry, "
                f"such as 'lr' or 'betas[0]', got {name!r} ({type(name).__name__})"
            )
        # A string of a class of its own (an Enum's, NumPy's) formats and pickles as something else.
        name = str.__str__(name)
        element = _ELEMENT.fullmatch(name)
        if element is None and (not name or "[" in name or "]" in name):
            raise ValueError(
                f"{parameter}: expected the name of a param-group entry ('weight_decay') "
                f"or of an element of one, counted from 0 ('betas[0]'), got {name!r}"
            )
        key, index = (name, None) if element is None else (element["key"], int(element["index"]))
        if key == "params":
            raise TypeError(f"{parameter}: 'params' are what is optimized, not a hyperparameter")
        return cls(name, key, index, f"initial_{name}")

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

    def read_all(self, groups: Sequence[ParamGroup]) -> list[Value]:
        """One value a group, a copy where it is a tensor; a group that lacks it is named."""
        try:
            values = [self.read(group) for group in groups]
        except (LookupError, TypeError):
            self.check_present(groups)
            raise
        return [value.clone() if isinstance(value, Tensor) else value for value in values]

    def read_or_none(self, groups: Iterable[ParamGroup]) -> list[Any]:
        """One value a group, for a ``repr``, which has to get by without."""
        return [self.read(group) if self.is_in(group) else None for group in groups]

    def write(self, group: ParamGroup, value: Value) -> None:
        """Set the target; a tensor is filled in place, so that captured steps see the change."""
        held = self.read(group)
        if isinstance(held, Tensor):
            held.fill_(value)
        else:
            self.replace(group, value)

    def replace(self, group: ParamGroup, value: Value) -> None:
        """Put ``value`` in the place of what the group holds."""
        if self.index is None:
            group[self.key] = value
        else:
            elements = list(group[self.key])
            elements[self.index] = value
            # A new container: the old one may be shared with other groups and the defaults.
            kind = type(group[self.key])
            group[self.key] = getattr(kind, "_make", kind)(elements)  # as a NamedTuple has it

    def scale(self, groups: Iterable[ParamGroup], multiplier: float) -> None:
        """Write initial value × ``multiplier`` into each group."""
        key, initial_key = self.key, self.initial_key
        plain = float if self.index is None else None  # an element's entry is never to be replaced
        for group in groups:
            # The common case in line: a call a group would cost more than the write itself.
            if type(group[key]) is plain:
                group[key] = group[initial_key] * multiplier
            else:
                self.write(group, group[initial_key] * multiplier)

    # -- the initial value ---------------------------------------------------------------

    def initial(self, group: ParamGroup) -> Value:
        """The recorded initial value; ``KeyError`` where no schedule was put on the target."""
        if self.initial_key in group:
            recorded: Value = group[self.initial_key]
            return recorded
        legacy: Value = group[LEGACY][self.name]["initial_lr"]
        return legacy

    def has_initial(self, group: ParamGroup) -> bool:
        return self.initial_key in group or "initial_lr" in group.get(LEGACY, {}).get(self.name, {})

    def initial_or_present(self, group: ParamGroup) -> float:
        """The initial value that a schedule put on the target now starts from."""
        if not self.has_initial(group):
            return real_number(self.read(group))
        try:
            return real_number(self.initial(group))
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"the initial value of {self.name!r}, {self.initial_key!r} in its param group: "
                f"{error}. To set it anew, call extend_optimizer(optimizer, {self.name!r}, value, "
                "overwrite_values=True)"
            ) from None

    # -- checks --------------------------------------------------------------------------

    def check(self, groups: Sequence[ParamGroup]) -> None:
        """Raise unless every group holds what can be scheduled under this target."""
        self.check_present(groups)
        for i, group in enumerate(groups):
            value = self.read(group)
            self.check_value(value, i)
            if isinstance(value, Tensor) and value.requires_grad:
                raise ValueError(
                    f"{self.name!r} in param group {i} is a tensor that requires a gradient: a "
                    "schedule would write over what is learned. Detach it"
                )

    def check_present(self, groups: Sequence[ParamGroup]) -> None:
        """Raise unless every group has this target."""
        missing = [i for i, group in enumerate(groups) if not self.is_in(group)]
        if missing:
            raise KeyError(self._missing(groups, missing))

    def check_value(self, value: object, i: int) -> None:
        """Raise unless ``value``, which group ``i`` holds, is a finite real number."""
        where = f"{self.name!r} in param group {i}"
        if isinstance(value, (tuple, list)):
            raise TypeError(f"{where} is the whole {value!r}: name one element, '{self.name}[0]'")
        if isinstance(value, Tensor) and not (value.ndim == 0 and value.is_floating_point()):
            raise TypeError(
                f"{where} is a {value.dtype} tensor of shape {tuple(value.shape)}; "
                "a schedule fills a 0-dim floating-point tensor or sets a number"
            )
        try:
            real_number(value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{where}: {error}; a schedule drives a finite number") from None

    def _missing(self, groups: Sequence[ParamGroup], missing: list[int]) -> str:
        where = f"{self.name!r} is not in param group{'s' * (len(missing) > 1)} " + ", ".join(
            map(str, missing)
        )
        if all(self.key in groups[i] for i in missing):
            return f"{where}: {self.key!r} is {groups[missing[0]][self.key]!r} there"
        names = [
            key
            for key in groups[missing[0]]
            if isinstance(key, str) and key != "params" and not key.startswith("initial_")
        ]
        close = difflib.get_close_matches(self.key, names)
        hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
        if self.index is not None:
            return f"{where}{hint or f'; there is no {self.key!r}'}"
        return (
            f"{where}{hint or '.'} To add it, pass default_value to arbitrary_schedule_factory, "
            f"or call extend_optimizer(optimizer, {self.name!r}, value) first"
        )

    def warn_of_dead_schedule(self, optimizer: OptimizerLike, driven: Sequence[ParamGroup]) -> None:
        """Warn where a schedule would move nothing: 0 × λ is 0, a captured step reads no float."""
        if driven and all(self.initial_or_present(group) == 0 for group in driven):
            warn_user(
                f"{self.name!r} starts at 0 in every param group that is driven, and a multiplier "
                "cannot move 0: set it to what λ = 1 stands for before scheduling it"
            )
        # Only what the optimizer's own step reads can be baked into a captured step.
        if self.key not in defaults_of(optimizer):
            return
        for group in driven:
            if group.get("capturable") is True and not self._is_read_by_replays(group):
                kind = "tensor on the CPU" if isinstance(self.read(group), Tensor) else "float"
                warn_user(
                    f"{self.name!r} is a {kind} on a param group with capturable=True: a captured "
                    "step keeps the value it was captured with. Make it a tensor on the device of "
                    f"the parameters: extend_optimizer(optimizer, {self.name!r}, "
                    "torch.tensor(value, device=...), overwrite_values=True)"
                )
                return

    def _is_read_by_replays(self, group: ParamGroup) -> bool:
        """Whether a captured step looks the target up again: not if its kernels got a number."""
        value = self.read(group)
        return isinstance(value, Tensor) and (
            value.device.type != "cpu"
            or all(parameter.device.type == "cpu" for parameter in group.get("params", ()))
        )

    def unshare(self, optimizer: OptimizerLike, groups: Sequence[ParamGroup]) -> None:
        """Give each group a tensor of its own: filling a shared one would move all at once."""
        self._unshare_default(defaults_of(optimizer), groups)
        owners: dict[int, ParamGroup] = {}
        for group in groups:
            value = self.read(group)
            if not isinstance(value, Tensor):
                continue
            owner = owners.setdefault(id(value), group)
            if owner is not group or any(other is value for other in self._others(group)):
                self.replace(group, value.clone())
                # A group that joined with the optimizer's default tensor starts where the
                # others started, not where their schedule has moved that tensor since.
                if self.has_initial(owner) and not self.has_initial(group):
                    group[self.initial_key] = self.initial(owner)

    def _unshare_default(self, defaults: Any, groups: Sequence[ParamGroup]) -> None:
        """Leave ``defaults`` what the groups began with, for a group that joins later."""
        known = isinstance(defaults, MutableMapping) and self.is_in(defaults)
        default = self.read(defaults) if known else None
        if not isinstance(default, Tensor):
            return
        for group in groups:
            if self.read(group) is default:
                self.replace(defaults, default.clone())
                if self.has_initial(group):  # it has moved since
                    self.read(defaults).fill_(self.initial(group))
                return

    def _others(self, group: ParamGroup) -> Iterator[object]:
        """What the group holds besides the target, each element of a tuple by itself."""
        for key, entry in group.items():
            if key == self.initial_key or (key == self.key and self.index is None):
                continue
            elements = entry if isinstance(entry, (tuple, list)) else (entry,)
            yield from (
                element for i, element in enumerate(elements) if (key, i) != (self.key, self.index)
            )
