"""Frozen values. Standard dataclasses would do, at half a millisecond of import time for each."""

from __future__ import annotations

from typing import Any


class Value:
    """A value: frozen, and equal, hashed, shown and stored by what it was made from.

    ``__match_args__`` names that: the arguments of the constructor, in order, each a slot.
    """

    __slots__ = ()
    __match_args__: tuple[str, ...] = ()

    def _set(self, **entries: Any) -> None:
        """What a constructor says in place of ``self.name = …``."""
        for name, value in entries.items():
            object.__setattr__(self, name, value)

    def _arguments(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__match_args__)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name}: a {type(self).__name__} is frozen; make another")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{name}: a {type(self).__name__} is frozen; make another")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._arguments() == other._arguments()

    def __hash__(self) -> int:
        return hash((type(self), *self._arguments()))

    def __repr__(self) -> str:
        arguments = (f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
        return f"{type(self).__name__}({', '.join(arguments)})"

    def __reduce__(self) -> tuple[type[Value], tuple[Any, ...]]:
        return type(self), self._arguments()
