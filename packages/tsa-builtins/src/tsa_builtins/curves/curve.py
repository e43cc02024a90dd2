"""The base of every curve, and the two kinds that its ``*`` makes: ``Constant`` and ``Product``."""

from __future__ import annotations

import numbers
import sys
from collections.abc import Callable
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar, overload

from ..checks.numbers_ import finite
from .value import Value

CurveLike: TypeAlias = Callable[[float], float]


class ArrayOfSteps(Protocol):
    """A NumPy array or a tensor. This package imports neither."""

    @property
    def shape(self) -> Any:
        """The number of steps along each dimension."""

    def tolist(self) -> Any:
        """The steps as Python numbers."""


Steps = TypeVar("Steps", bound=ArrayOfSteps)


class Curve:
    """The base of all curves: a curve is λ(t), a frozen value that is called with t.

    ``a * b`` multiplies a curve with another curve or with any callable t → λ, at every t.
    ``0.5 * a`` scales it. A curve of your own need not be a ``Curve``: any callable goes where a
    curve goes.

    Example:
        >>> from tsa_builtins.curves import Curve, Linear, PiecewiseConstant
        >>> warmup, drops = Linear(0.0, 1.0, 10), PiecewiseConstant({0: 1.0, 30: 0.25})
        >>> (warmup * drops)(5), (0.5 * warmup * drops)(30)
        (0.5, 0.125)
        >>> 0.5 * warmup
        0.5 * Linear(start=0.0, end=1.0, steps=10)
        >>> isinstance(warmup * drops, Curve)
        True
    """

    __slots__ = ()

    # NumPy's numbers and arrays leave ``x * curve`` to __rmul__ here.
    __array_ufunc__: ClassVar[None] = None

    @overload
    def __call__(self, t: float) -> float: ...

    @overload
    def __call__(self, t: Steps) -> Steps: ...

    def __call__(self, t: Any) -> Any:
        """λ(t), or λ of each step in an array.

        An array gives an array of the same kind, shape and device, in double precision. It holds
        exactly the numbers that its steps give one by one. No gradient flows through it.

        Args:
            t: a step, or a NumPy array or a tensor of steps.

        Raises:
            TypeError: t is neither a real number nor an array.
        """
        if type(t) is int or type(t) is float:
            return self._at(t)
        return at_each(self._at, t)

    @property
    def boundaries(self) -> tuple[float, ...]:
        """The steps at which one curve hands over to the next; empty if the curve has none."""
        return ()

    def _at(self, t: float) -> float:
        """The formula of each kind: λ at one step."""
        raise NotImplementedError(
            f"{type(self).__name__}: define __call__(self, t), which returns λ(t)"
        )

    def __mul__(self, other: CurveLike | float) -> Curve:
        return Product(self, other) if _can_multiply(other) else NotImplemented

    def __rmul__(self, other: CurveLike | float) -> Curve:
        return Product(other, self) if _can_multiply(other) else NotImplemented


def one_step(curve: CurveLike) -> CurveLike:
    """The fastest way to ask ``curve`` for one step: the formula itself, if the kind is ours."""
    if isinstance(curve, Curve) and isinstance(curve, Value):
        return curve._at  # noqa: SLF001  # the class is above
    return curve


def boundaries_of(curve: CurveLike) -> tuple[float, ...]:
    return tuple(getattr(curve, "boundaries", ()))


def at_each(curve: CurveLike, t: Any) -> Any:
    """``curve`` at ``t``, for any kind of number or array.

    An array is one Python call per step. NumPy's and torch's own cosines and powers differ from
    ``math``'s in the last bit, and a curve gives the same numbers however it is called.
    """
    if isinstance(t, numbers.Real):
        return curve(int(t) if isinstance(t, numbers.Integral) else float(t))
    # If t is an array, its library is imported already.
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy is not None and isinstance(t, numpy.ndarray):
        values = [curve(step) for step in t.ravel().tolist()]
        return numpy.array(values, dtype=float).reshape(t.shape)
    if torch is not None and isinstance(t, torch.Tensor):
        values = [curve(step) for step in t.flatten().tolist()]
        return torch.tensor(values, dtype=torch.float64, device=t.device).reshape(t.shape)
    raise TypeError(
        f"t: expected a step, or a NumPy array or tensor of steps, got {t!r} ({type(t).__name__})"
    )


def checked(name: str, curve: object) -> CurveLike:
    """``curve``, if it can be called; else an error with ``name``."""
    if not callable(curve):
        raise TypeError(
            f"{name}: expected a curve or another callable t -> multiplier, "
            f"got {curve!r} ({type(curve).__name__})"
        )
    return curve


class Constant(Value, Curve):
    """λ(t) = value, at every t.

    Args:
        value: any finite real number.

    Raises:
        TypeError: ``value`` is not a real number.
        ValueError: ``value`` is NaN or infinite.

    Example:
        >>> from tsa_builtins.curves import Constant
        >>> Constant(0.5)(1000)
        0.5
    """

    _made_from = ("value",)
    __slots__ = _made_from
    value: float

    def __init__(self, value: float) -> None:
        self._set(value=finite("value", value))

    def _at(self, t: float) -> float:
        return self.value


class Product(Value, Curve):
    """The result of ``left * right``: λ(t) = left(t)·right(t). A number stands for a constant."""

    _made_from = ("left", "right")
    __slots__ = (*_made_from, "_left", "_right")
    left: CurveLike
    right: CurveLike
    _left: CurveLike
    _right: CurveLike

    def __init__(self, left: CurveLike | float, right: CurveLike | float) -> None:
        left = left if callable(left) else Constant(finite("left", left))
        right = right if callable(right) else Constant(finite("right", right))
        self._set(left=left, right=right, _left=one_step(left), _right=one_step(right))

    def _at(self, t: float) -> float:
        return self._left(t) * self._right(t)

    @property
    def boundaries(self) -> tuple[float, ...]:
        return tuple(sorted({*boundaries_of(self.left), *boundaries_of(self.right)}))

    def __repr__(self) -> str:
        left, right = repr(self.left), repr(self.right)
        # A constant is shown as its number. One of two constants is not: 2 * 3 would be a number.
        if isinstance(self.left, Constant):
            left = repr(self.left.value)
        elif isinstance(self.right, Constant):
            right = repr(self.right.value)
        if isinstance(self.right, Product):
            right = f"({right})"
        return f"{left} * {right}"


def _can_multiply(other: object) -> bool:
    return callable(other) or isinstance(other, numbers.Real)
