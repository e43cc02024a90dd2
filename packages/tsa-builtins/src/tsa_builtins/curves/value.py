"""Frozen values, and the register of their kinds.

Standard dataclasses would do the same. Each of them costs half a millisecond of import time.
"""

from __future__ import annotations

from typing import Any, ClassVar

KINDS: dict[str, type[Value]] = {}
"""Every kind of value by its name. A class enters it where it is defined."""


class Value:
    """A value is frozen. It is equal, hashed, shown and stored by what it was made from.

    ``_made_from`` names the arguments of the constructor, in order. Each of them is a slot.
    A subclass is a kind, unless its name begins with an underscore. A kind is final: combinations
    call its formula directly, so a ``__call__`` in a subclass would be passed over.
    """

    __slots__ = ()
    _made_from: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        for base in cls.__mro__:
            if KINDS.get(base.__name__) is base:
                raise TypeError(
                    f"{cls.__name__}: {base.__name__} cannot be subclassed. Any callable goes "
                    "where a curve goes: write a function of t, or a class with "
                    "__call__(self, t)."
                )
        if not cls.__name__.startswith("_"):
            KINDS[cls.__name__] = cls

    # torch's LambdaLR and MultiplicativeLR save the __dict__ of a callable object.
    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]  # torch reads it, no more
        """Empty, because a value is all slots."""
        return {}

    def _set(self, **entries: Any) -> None:
        """Set attributes in a constructor, where ``self.name = …`` is refused."""
        for name, value in entries.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name}: a {type(self).__name__} is frozen; make a new one")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{name}: a {type(self).__name__} is frozen; make a new one")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return arguments(self) == arguments(other)

    def __hash__(self) -> int:
        return hash((type(self), *arguments(self).values()))

    def __repr__(self) -> str:
        shown = (f"{name}={value!r}" for name, value in arguments(self).items())
        return f"{type(self).__name__}({', '.join(shown)})"

    def __reduce__(self) -> tuple[type[Value], tuple[Any, ...]]:
        return type(self), tuple(arguments(self).values())


def argument_names(kind: type[Value]) -> tuple[str, ...]:
    return kind._made_from  # noqa: SLF001  # the class is above


def argument_types(kind: type[Value]) -> dict[str, str]:
    """The type of each argument, as the constructor declares it."""
    declared = kind.__init__.__annotations__
    return {name: declared[name] for name in argument_names(kind)}


def needed_arguments(kind: type[Value]) -> tuple[str, ...]:
    """The arguments without a default."""
    defaults = kind.__init__.__defaults__ or ()
    names = argument_names(kind)
    return names[: len(names) - len(defaults)]


def arguments(value: Value) -> dict[str, Any]:
    """The arguments that ``value`` was made from, by name and in order."""
    return {name: getattr(value, name) for name in argument_names(type(value))}
