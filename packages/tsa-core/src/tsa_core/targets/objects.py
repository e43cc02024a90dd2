"""Param groups whose entries are attributes of an object, or entries of a dict."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from types import SimpleNamespace
from typing import Any

import torch

# If one of these sets a float that is in the object's dict, it only replaces it there. A module
# looks first if the name is that of a parameter, a buffer or a module, which a float never is. That
# takes 15 times as long as to write into the dict. Classes are looked at once: one that gets a
# property of that name later does not count.
_PLAIN_SETTERS: tuple[object, ...] = (
    object.__setattr__,
    torch.nn.Module.__setattr__,
    SimpleNamespace.__setattr__,
)
_PLAIN_GETTERS: tuple[object, ...] = (object.__getattribute__, SimpleNamespace.__getattribute__)


class Missing:
    """Stands in a column where a group has no such entry; a class, which copies keep."""


class ObjectGroup(MutableMapping[str, Any]):
    """The param group of one object: some attributes of it, or some entries if it is a dict.

    The other entries that schedules keep in a group, such as ``"initial_p"``, are in columns that
    all groups share. Nothing is added to the object.
    """

    __slots__ = ("__weakref__", "_index", "columns", "is_dict", "names", "owner", "plain_names")

    owner: Any
    """The object."""
    names: frozenset[str]
    """The attributes, or the entries of the dict."""
    plain_names: frozenset[str]
    """Those that only replace a float in a dict, and run no code, when they are set to another."""
    is_dict: bool
    """True if the entries are those of a dict, or of another mapping."""
    columns: dict[str, list[Any]]
    """By key, the entries of all groups that are kept beside the objects."""

    def __init__(
        self, owner: Any, names: frozenset[str], columns: dict[str, list[Any]], index: int
    ) -> None:
        self.owner, self.names = owner, names
        self.columns, self._index = columns, index
        self.is_dict = isinstance(owner, Mapping)
        self.plain_names = frozenset(name for name in names if self._is_plain(name))

    def _is_plain(self, name: str) -> bool:
        cls = type(self.owner)
        if self.is_dict:
            return cls is dict
        if cls.__setattr__ not in _PLAIN_SETTERS or cls.__getattribute__ not in _PLAIN_GETTERS:
            return False
        kind = type(inspect.getattr_static(cls, name, None))  # a property, a slot, …
        is_descriptor = hasattr(kind, "__set__") or hasattr(kind, "__delete__")
        return hasattr(self.owner, "__dict__") and not is_descriptor

    def __getitem__(self, key: str) -> Any:
        if key not in self.names:
            entry = self.columns[key][self._index]
            if entry is Missing:
                raise KeyError(key)
            return entry
        if self.is_dict:
            return self.owner[key]
        try:
            return getattr(self.owner, key)
        except AttributeError:
            raise KeyError(key) from None

    def __setitem__(self, key: str, value: Any) -> None:
        owner = self.owner
        if key not in self.names:
            column = self.columns.get(key)
            if column is None:
                size = len(next(iter(self.columns.values())))
                column = self.columns[key] = [Missing] * size
            column[self._index] = value
        elif self.is_dict:
            owner[key] = value
        elif (
            type(value) is float
            and key in self.plain_names
            and type(owner.__dict__.get(key)) is float
        ):
            owner.__dict__[key] = value
        else:
            setattr(owner, key, value)

    def __delitem__(self, key: str) -> None:
        if key in self.names or key not in self:
            raise KeyError(key)  # what belongs to the object stays
        self.columns[key][self._index] = Missing

    def __iter__(self) -> Iterator[str]:
        return (key for key in [*sorted(self.names), *self.columns] if key in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:  # without the object, because that of a model is long
        return f"<param group of a {type(self.owner).__name__}: {dict(self)}>"


class ObjectGroups(tuple[ObjectGroup, ...]):
    """The groups of several objects, in order; a tuple, because none joins later."""

    columns: dict[str, list[Any]]
    """By key, the entries that are kept beside the objects, one per group."""
    plain_names: frozenset[str]
    """Those that are plain in each group."""

    def __init__(self, groups: Sequence[ObjectGroup]) -> None:
        self.columns = groups[0].columns
        self.plain_names = frozenset.intersection(*(group.plain_names for group in groups))
        self._owners = [group.owner for group in groups]
        self._has_dicts = any(type(owner) is dict for owner in self._owners)

    def holders(self, name: str) -> list[Any] | None:
        """Return the dicts that hold ``name``, if they hold floats that only have to be replaced.

        None if one holds something else, or if code of an object may run when the attribute is set;
        ``KeyError`` if one has lost it. They are looked up each time, because an object can get
        another dict.
        """
        if name not in self.plain_names:
            return None
        holders, has_dicts = [], self._has_dicts
        for owner in self._owners:
            holder = owner if has_dicts and type(owner) is dict else owner.__dict__
            if type(holder[name]) is not float:
                return None
            holders.append(holder)
        return holders
