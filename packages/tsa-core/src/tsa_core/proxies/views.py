"""One param group as a torch scheduler sees it: the target, under the name ``lr``."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

from torch import Tensor

from ..targets.checks import check_present
from ..targets.numbers_ import real_number
from ..targets.objects import ObjectGroup
from ..targets.target import LEGACY_KEY, ParamGroup, Target, range_in_words
from ..torch_.compile import skip_frames
from ..torch_.schedulers import AUXILIARY_KEYS, auxiliary_key

# torch 2.0 crashes when it compiles write and replace.
skip_frames(Target)
skip_frames(ObjectGroup)

# On a target other than lr, these entries of the real group concern the learning rate.
_ABOUT_LR = AUXILIARY_KEYS | {LEGACY_KEY, "lr", "initial_lr"}


@skip_frames
class GroupView(MutableMapping[str, Any]):
    """One param group as a scheduler of the target sees it."""

    __slots__ = (
        "_groups",
        "_high",
        "_index",
        "_is_first",
        "_kept",
        "_key",
        "_low",
        "_plain",
        "_target",
    )

    def __init__(
        self,
        target: Target,
        groups: Sequence[ParamGroup],
        index: int,
        kept: dict[str, Any],
        is_first: bool,
    ) -> None:
        """``is_first``: no schedule was on the target before, and left entries of its own."""
        self._target = target
        self._key = target.key
        self._low, self._high = target.range_of(0.0)
        self._plain = float if target.index is None else None  # an element goes into a tuple
        self._groups = groups
        self._index = index  # finds the dict that is at this position now
        self._kept = kept
        self._is_first = is_first

    # These two cases stand first and make no call: torch's schedulers read ``lr`` up to four times
    # per step and group, and write it once.
    def __getitem__(self, key: str) -> Any:
        if key == "lr":
            try:
                return self._groups[self._index][self._key]
            except LookupError:
                check_present(self._target, self._groups)  # names the remedy
                raise
        group, target = self._groups[self._index], self._target
        if key == "initial_lr":
            initial_key = target.initial_key
            if initial_key in group:  # in line, because many schedulers read it at each step
                return group[initial_key]
            if target.has_initial(group):
                return target.initial(group)
            raise KeyError(key)
        if target.name == "lr":
            return group[key]
        own_key = auxiliary_key(key, target.name)
        if own_key in group and (key in AUXILIARY_KEYS or key in self._kept):
            return group[own_key]
        if key in _ABOUT_LR:
            raise KeyError(
                f"{key!r}: this entry of the param groups is about the learning rate. A schedule "
                f"of {target.name!r} has its own {key!r}, which it has not written yet"
            )
        return group[key]

    def __setitem__(self, key: str, value: Any) -> None:
        group, target = self._groups[self._index], self._target
        if key == "lr":
            try:
                is_plain = type(value) is type(group[self._key]) is self._plain
                if is_plain and self._low <= value <= self._high:
                    group[self._key] = value
                else:
                    target.write(group, self._checked(value))
            except (LookupError, TypeError):
                check_present(target, self._groups)
                raise
        elif key == "initial_lr":
            initial = self._checked(value)
            # torch < 2.4 passes the same tensor that is filled later.
            group[target.initial_key] = initial.clone() if isinstance(initial, Tensor) else initial
        elif key in AUXILIARY_KEYS or key not in group:
            own_key = auxiliary_key(key, target.name)
            is_strange = own_key in group and key not in self._kept and target.name != "lr"
            if is_strange and (self._is_first or f"initial_{own_key}" in group):
                raise ValueError(
                    f"{own_key!r} is an entry of param group {self._index}, and a schedule of "
                    f"{target.name!r} would keep its {key!r} there. Give one of both entries "
                    "a different name"
                )
            self._kept[key] = group[own_key] = value
        elif target.name == "lr":
            group[key] = value
        else:
            raise ValueError(
                f"a schedule of {target.name!r} would write {key!r} of param group {self._index}. "
                f"On this proxy {target.name!r} is called 'lr', and the schedule may write no "
                "other entry. If a scheduler cycles momentum, write cycle_momentum=False and give "
                f"{key!r} a schedule of its own"
            )

    def _checked(self, value: Any) -> Any:
        # Reading a tensor's value would make an accelerator wait.
        if isinstance(value, Tensor) and value.device.type != "cpu":
            return value
        where = f"{self._target.name!r} in param group {self._index}: "
        number = real_number(value, where, "; a scheduler has to give a finite real number")
        held = self["lr"]
        low, high = self._target.range_of(held)
        if not low <= number <= high:
            raise ValueError(f"{where}{number!r}; it must be {range_in_words(number, low, high)}")
        return value if isinstance(value, Tensor) and isinstance(held, Tensor) else number

    def __delitem__(self, key: str) -> None:
        if key not in self._kept:
            raise KeyError(f"{key!r} belongs to the optimizer, not to the schedule")
        del self._kept[key]
        self._groups[self._index].pop(auxiliary_key(key, self._target.name), None)

    def __iter__(self) -> Iterator[str]:
        own_keys = (*AUXILIARY_KEYS, *self._kept)
        renamed = {auxiliary_key(key, self._target.name): key for key in own_keys}
        keys = ["lr", "initial_lr", *(renamed.get(key, key) for key in self._groups[self._index])]
        yield from (key for key in dict.fromkeys(keys) if key in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        shown = {key: value for key, value in self.items() if key != "params"}
        return f"<param group {self._index} with {self._target.name!r} as lr: {shown}>"


@skip_frames
class ElementView(GroupView):
    """The same for a target that is one element of a tuple."""

    __slots__ = ()

    def __getitem__(self, key: str) -> Any:
        if key != "lr":
            return super().__getitem__(key)
        try:
            return self._target.read(self._groups[self._index])
        except (LookupError, TypeError):
            check_present(self._target, self._groups)
            raise


@skip_frames
class ObjectView(GroupView):
    """The same for an attribute that runs no code: without the call of the object's group."""

    __slots__ = ()

    def __getitem__(self, key: str) -> Any:
        if key == "lr":
            group: Any = self._groups[self._index]
            try:
                return (group.owner if group.is_dict else group.owner.__dict__)[self._key]
            except KeyError:  # a buffer of a module, or lost
                pass
        return super().__getitem__(key)

    def __setitem__(self, key: str, value: Any) -> None:
        if key == "lr" and type(value) is float and self._low <= value <= self._high:
            group: Any = self._groups[self._index]
            holder = group.owner if group.is_dict else group.owner.__dict__
            if type(holder.get(self._key)) is float:
                holder[self._key] = value
                return
        super().__setitem__(key, value)
