"""Param groups whose entries are attributes of an object, or entries of a dict."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from operator import attrgetter
from typing import Any

import torch

# If one of these sets a float that is in the object's dict, it only replaces it there. A module
# looks for a parameter, a buffer or a module of that name first, and a float is none of them. That
# takes 15 times as long as to write into the dict.
_PLAIN_SETTERS = (object.__setattr__, torch.nn.Module.__setattr__)

_dict_of = attrgetter("__dict__")


def _is_plain(cls: type) -> bool:
    """True if ``cls`` leaves it to Python or torch how its attributes are read and set."""
    reads: object = cls.__getattribute__
    return cls.__setattr__ in _PLAIN_SETTERS and reads is object.__getattribute__


class ObjectGroup(MutableMapping[str, Any]):
    """The param group of one object: some attributes of it, or some entries if it is a dict.

    What schedules keep in a group beside the target, such as ``"initial_p"``, stays in the group:
    nothing is added to the object.
    """

    __slots__ = ("_without_code", "is_dict", "names", "owner", "record")

    owner: Any
    """The object."""
    names: frozenset[str]
    """The attributes, or the entries of the dict."""
    is_dict: bool
    """True if the entries are those of a dict, or of another mapping."""
    record: dict[str, Any]
    """The entries that are kept beside the object."""

    def __init__(self, owner: Any, keys: Iterable[str], record: Mapping[str, Any]) -> None:
        self.owner, self.record = owner, dict(record)
        self.is_dict = isinstance(owner, Mapping)
        self.names = frozenset(keys)
        # Those for which the class has no descriptor, which would run code when they are set.
        kinds = {key: type(inspect.getattr_static(type(owner), key, None)) for key in self.names}
        self._without_code = frozenset(
            key
            for key, kind in kinds.items()
            if not hasattr(kind, "__set__") and not hasattr(kind, "__delete__")
        )

    def is_plain(self, key: str) -> bool:
        """True if no code of the object runs when ``key`` is set: a dict holds it."""
        if self.is_dict:
            return type(self.owner) is dict
        has_dict = hasattr(self.owner, "__dict__")
        return has_dict and key in self._without_code and _is_plain(type(self.owner))

    def __getitem__(self, key: str) -> Any:
        if key not in self.names:
            return self.record[key]
        if self.is_dict:
            return self.owner[key]
        try:
            return getattr(self.owner, key)
        except AttributeError:
            raise KeyError(key) from None

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in self.names:
            self.record[key] = value
        elif self.is_dict:
            self.owner[key] = value
        elif (
            type(value) is float
            and self.is_plain(key)
            and type(self.owner.__dict__.get(key)) is float
        ):
            self.owner.__dict__[key] = value
        else:
            setattr(self.owner, key, value)

    def __delitem__(self, key: str) -> None:
        del self.record[key]  # what belongs to the object stays

    def __iter__(self) -> Iterator[str]:
        yield from (key for key in sorted(self.names) if key in self)
        yield from self.record

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:  # without the object, because that of a model is long
        return f"<param group of a {type(self.owner).__name__}: {dict(self)}>"


class ObjectGroups(tuple[ObjectGroup, ...]):
    """The groups of several objects, in order; a tuple, because none joins later."""

    records: list[dict[str, Any]]
    """The record of each group."""
    _owners: list[Any]
    _classes: set[type]
    _are_dicts: bool
    _plain: frozenset[str]

    def __new__(cls, groups: Sequence[ObjectGroup]) -> ObjectGroups:
        new = super().__new__(cls, groups)
        new.records = [group.record for group in groups]
        new._owners = [group.owner for group in groups]
        new._classes = {*map(type, new._owners)}
        new._are_dicts = new._classes == {dict}
        new._plain = frozenset(
            key
            for key in groups[0].names
            if all(group.is_plain(key) and not group.is_dict for group in groups)
        )
        return new

    def __reduce__(self) -> Any:
        return ObjectGroups, (tuple(self),)

    def holders(self, key: str) -> list[Any] | None:
        """Return the dicts into which a float ``key`` can be written, or None.

        None if code of an object may run when it is set. The dicts are looked up each time, because
        an object can get another one.
        """
        if self._are_dicts:
            return self._owners
        if key in self._plain and all(map(_is_plain, self._classes)):
            return [*map(_dict_of, self._owners)]
        return None
