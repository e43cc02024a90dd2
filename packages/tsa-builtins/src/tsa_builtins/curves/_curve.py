"""What every curve is, and the two that its ``*`` makes: ``Constant`` and ``Product``."""

from __future__ import annotations

import numbers
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias, TypeVar, overload

from .._checks import finite
from ._value import Value

CurveLike: TypeAlias = Callable[[float], float]


class ArrayOfSteps(Protocol):
    """A NumPy array or a tensor, which this package does not import."""

    @property
    def shape(self) -> Any:
        """How many there are along each dimension."""

    def tolist(self) -> Any:
        """The steps, as Python's numbers."""


Steps = TypeVar("Steps", bound=ArrayOfSteps)


class Curve:
    """What every curve here is: λ(t), a frozen value that is called with t.

    Two curves multiply, ``a * b``, and so do a curve and any callable t → λ; a number scales:
    ``0.5 * a``. A curve of your own need not be one of these: any callable goes where a curve
    goes.
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

        Args:
            t: a step; or a NumPy array or a tensor of steps, of any shape, which gives one of the
                same kind and shape (and device), in double precision, holding exactly what the
                steps give one by one. No gradient flows through it.

        Raises:
            TypeError: t is none of these.
        """
        if type(t) is int or type(t) is float:
            return self._at(t)
        return at_each(self._at, t)

    def _at(self, t: float) -> float:
        """λ at one step: the formula, where a subclass does not give it in ``__call__``."""
        return self(t)

    def __mul__(self, other: CurveLike | float) -> Product:
        return Product(self, other) if _can_multiply(other) else NotImplemented

    def __rmul__(self, other: CurveLike | float) -> Product:
        return Product(other, self) if _can_multiply(other) else NotImplemented


def one_step(curve: CurveLike) -> CurveLike:
    """What to call with a single step: a curve of ours need not look at what kind of t it is."""
    return curve._at if isinstance(curve, Curve) else curve


def at_each(curve: CurveLike, t: Any) -> Any:
    """``curve`` at ``t``, whatever kind of number or array it is.

    One call a step, in Python: NumPy's and torch's own cosines and powers differ from ``math``'s
    in the last bit, and a curve gives the same numbers however it is asked.
    """
    if isinstance(t, numbers.Real):
        return curve(int(t) if isinstance(t, numbers.Integral) else float(t))
    # Whoever holds an array has imported its library.
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
        TypeError: ``value`` is no real number.
        ValueError: it is NaN or infinite.

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

    # As Curve has it, a call shorter: the rest of a training step hardly takes longer.
    if not TYPE_CHECKING:

        def __call__(self, t):
            if type(t) is int or type(t) is float:
                return self.value
            return at_each(self._at, t)

    def _at(self, t: float) -> float:
        return self.value


class Product(Value, Curve):
    """What ``left * right`` returns: λ(t) = left(t)·right(t), at every t.

    Args:
        left: a curve, any callable t → λ, or a number, which stands for ``Constant``.
        right: the same.

    Raises:
        TypeError: one of them is no callable and no real number.
        ValueError: it is a number that is NaN or infinite.

    Example:
        >>> from tsa_builtins.curves import Linear, PiecewiseConstant
        >>> warm_up, drops = Linear(0.0, 1.0, 10), PiecewiseConstant({0: 1.0, 30: 0.1})
        >>> (warm_up * drops)(5), (0.2 * warm_up * drops)(30)
        (0.5, 0.020000000000000004)
        >>> 0.2 * warm_up
        0.2 * Linear(start=0.0, end=1.0, steps=10)
    """

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

    def __repr__(self) -> str:
        left, right = repr(self.left), repr(self.right)
        # As the number that it was, but not both: two numbers make a number.
        if isinstance(self.left, Constant):
            left = repr(self.left.value)
        elif isinstance(self.right, Constant):
            right = repr(self.right.value)
        if isinstance(self.right, Product):
            right = f"({right})"
        return f"{left} * {right}"


def _can_multiply(other: object) -> bool:
    return callable(other) or isinstance(other, numbers.Real)
