"""Frozen values. Standard dataclasses would do, at half a millisecond of import time for each."""

from __future__ import annotations

from typing import Any, ClassVar


class Value:
    """A value: frozen, and equal, hashed, shown and stored by what it was made from.

    ``_made_from`` names that: the arguments of the constructor, in order, each a slot.
    """

    __slots__ = ()
    _made_from: ClassVar[tuple[str, ...]] = ()

    # torch's LambdaLR and its like save what a callable object has here.
    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]  # torch asks no more of it
        """Nothing: a value is all slots."""
        return {}

    def _set(self, **entries: Any) -> None:
        """What a constructor says in place of ``self.name = …``."""
        for name, value in entries.items():
            object.__setattr__(self, name, value)

    def _arguments(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self._made_from)

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
        arguments = (f"{name}={getattr(self, name)!r}" for name in self._made_from)
        return f"{type(self).__name__}({', '.join(arguments)})"

    def __reduce__(self) -> tuple[type[Value], tuple[Any, ...]]:
        return type(self), self._arguments()
