"""The base of every curve, and the kinds that its operators make: ``Product`` and ``Sum``."""

from __future__ import annotations

import math
import numbers
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar, overload

from ..checks import finite
from .value import Value, arguments

__all__ = ["Constant", "Curve"]

CurveLike: TypeAlias = Callable[[float], float]
Formula: TypeAlias = Callable[[float, float], float]


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

    ``a * b``, ``a + b`` and ``a - b`` combine two curves, or a curve and any callable t → λ, at
    every t. Either side may be a number: ``0.5 * a`` scales, ``a + 0.1`` lifts, ``1 - a`` turns the
    curve over. A curve of your own need not be a ``Curve``: any callable can replace a curve.

    Example:
        >>> from tsa_builtins.curves import Curve, Linear, PiecewiseConstant
        >>> warmup, drops = Linear(0.0, 1.0, 10), PiecewiseConstant({0: 1.0, 30: 0.25})
        >>> (warmup * drops)(5), (0.5 * warmup * drops)(30), (1 - drops)(30)
        (0.5, 0.125, 0.75)
        >>> 0.1 + 0.9 * warmup
        0.1 + 0.9 * Linear(start=0.0, end=1.0, steps=10)
        >>> isinstance(warmup * drops, Curve)
        True
    """

    __slots__ = ()

    # NumPy's numbers and arrays leave ``x * curve`` and ``x + curve`` to the methods here.
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

    @property
    def turns(self) -> tuple[float, ...]:
        """The steps > 0 at which the curve, or one in it, takes another formula or comes to rest.

        Of a ``repeat``, which turns forever, they are those of the first cycle.
        """
        return turns_of(self)

    def _turns(self) -> Iterator[float]:
        """Some of the ``turns``, in any order: those of each kind, and of the curves in it."""
        given = arguments(self)  # type: ignore[arg-type]  # every kind is a Value
        yield from self.boundaries
        # At these steps a shape has come to its end, or is well under way.
        yield from (given[name] for name in ("steps", "timescale") if name in given)
        for each in flat(given.values()):
            yield from turning(each)

    def _at(self, t: float, span: float = 0) -> float:
        """The formula of each kind: λ at one step. ``rounding`` says what ``span`` is."""
        raise NotImplementedError(
            f"{type(self).__name__}: define __call__(self, t), which returns λ(t)"
        )

    def __mul__(self, other: CurveLike | float) -> Curve:
        return Product((self, other)) if _is_operand(other) else NotImplemented

    def __rmul__(self, other: CurveLike | float) -> Curve:
        return Product((other, self)) if _is_operand(other) else NotImplemented

    def __add__(self, other: CurveLike | float) -> Curve:
        return Sum((self, other)) if _is_operand(other) else NotImplemented

    def __radd__(self, other: CurveLike | float) -> Curve:
        return Sum((other, self)) if _is_operand(other) else NotImplemented

    def __sub__(self, other: CurveLike | float) -> Curve:
        return Sum((self, _negative(other))) if _is_operand(other) else NotImplemented

    def __rsub__(self, other: CurveLike | float) -> Curve:
        return Sum((other, -self)) if _is_operand(other) else NotImplemented

    def __neg__(self) -> Curve:
        return Product((-1, self))


def one_step(curve: CurveLike) -> Formula:
    """The fastest way to ask ``curve`` for one step: the formula itself, if the kind is ours."""
    if isinstance(curve, Curve) and isinstance(curve, Value):
        return curve._at  # noqa: SLF001  # the class is above
    return lambda t, span: curve(t)


def boundaries_of(curve: CurveLike) -> tuple[float, ...]:
    return tuple(getattr(curve, "boundaries", ()))


def turns_of(curve: object) -> tuple[float, ...]:
    """The ``turns`` of a curve, or of any callable that knows its boundaries."""
    return tuple(sorted({t for t in turning(curve) if 0 < t < math.inf}))


def turning(curve: object) -> Iterator[float]:
    if isinstance(curve, Curve) and isinstance(curve, Value):
        return curve._turns()  # noqa: SLF001  # the class is above
    known = getattr(curve, "boundaries", ())
    known = known if isinstance(known, tuple) else ()
    return (t for t in known if isinstance(t, (int, float)))


def flat(values: Any) -> Iterator[Any]:
    for each in values:
        yield from flat(each) if isinstance(each, tuple) else (each,)


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
        values = _of_each(curve, t.ravel().tolist())
        return numpy.array(values, dtype=float).reshape(t.shape)
    if torch is not None and isinstance(t, torch.Tensor):
        values = _of_each(curve, t.flatten().tolist())
        return torch.tensor(values, dtype=torch.float64, device=t.device).reshape(t.shape)
    raise TypeError(
        f"t: expected a step, or a NumPy array or tensor of steps, got {t!r} ({type(t).__name__})"
    )


def _of_each(curve: CurveLike, steps: list[Any]) -> list[float]:
    are_numbers = {*map(type, steps)} <= {int, float, bool}
    return [curve(step) if are_numbers else at_each(curve, step) for step in steps]


def listed(name: str, values: object) -> list[Any]:
    if not isinstance(values, Iterable):
        raise TypeError(f"{name}: expected a list, got {values!r} ({type(values).__name__})")
    return [*values]


def checked(name: str, curve: Any) -> CurveLike:
    """``curve``, if it can be called; else an error with ``name``."""
    if not callable(curve):
        raise TypeError(
            f"{name}: expected a curve or another callable t -> multiple, "
            f"got {curve!r} ({type(curve).__name__})"
        )
    return curve  # type: ignore[no-any-return]  # it can be called


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

    def _at(self, t: float, span: float = 0) -> float:
        return self.value


class _Chain(Value, Curve):
    """Two operands or more in a row, each of them a curve or a number."""

    __slots__ = ("_first", "_others", "_second")
    _first: Formula
    _second: Formula
    _others: tuple[Formula, ...]

    def _set_operands(self, name: str, operands: Iterable[CurveLike | float]) -> None:
        """Set the operands, flat: a chain of the same kind among them gives its own."""
        flat: list[CurveLike | float] = []
        for operand in listed(name, operands):
            if isinstance(operand, type(self)):
                flat += getattr(operand, name)
            elif isinstance(operand, Constant):
                flat.append(operand.value)
            else:
                flat.append(operand if callable(operand) else finite(name, operand))
        if len(flat) < 2:
            raise ValueError(f"{name}: expected at least two, got {len(flat)}")
        first, second, *others = (
            one_step(operand if callable(operand) else Constant(operand)) for operand in flat
        )
        self._set(**{name: tuple(flat)}, _first=first, _second=second, _others=tuple(others))


class Product(_Chain):
    """The result of ``a * b * c``: λ(t) = a(t)·b(t)·c(t). A number stands for a constant."""

    _made_from = ("factors",)
    __slots__ = _made_from
    factors: tuple[CurveLike | float, ...]

    def __init__(self, factors: Iterable[CurveLike | float]) -> None:
        self._set_operands("factors", factors)

    def _at(self, t: float, span: float = 0) -> float:
        value = self._first(t, span) * self._second(t, span)
        for factor in self._others:
            value *= factor(t, span)
        return value

    @property
    def boundaries(self) -> tuple[float, ...]:
        return _all_boundaries(self.factors)

    def __repr__(self) -> str:
        return _multiplied(self.factors)


class Sum(_Chain):
    """The result of ``a + b - c``: λ(t) = a(t) + b(t) − c(t). A number stands for a constant."""

    _made_from = ("terms",)
    __slots__ = _made_from
    terms: tuple[CurveLike | float, ...]

    def __init__(self, terms: Iterable[CurveLike | float]) -> None:
        self._set_operands("terms", terms)

    def _at(self, t: float, span: float = 0) -> float:
        value = self._first(t, span) + self._second(t, span)
        for term in self._others:
            value += term(t, span)
        return value

    @property
    def boundaries(self) -> tuple[float, ...]:
        return _all_boundaries(self.terms)

    def __repr__(self) -> str:
        first, *others = _shown(self.terms)
        return first + "".join(map(_added, self.terms[1:], others))


# Any, not object: mypy would keep a narrowed object among the names that a star import takes.
def _is_operand(other: Any) -> bool:
    return callable(other) or isinstance(other, numbers.Real)


def _negative(operand: CurveLike | float) -> CurveLike | float:
    return Product((-1, operand)) if callable(operand) else -finite("terms", operand)


def _all_boundaries(operands: Iterable[CurveLike | float]) -> tuple[float, ...]:
    return tuple(sorted({each for o in operands if callable(o) for each in boundaries_of(o)}))


def _shown(operands: Sequence[CurveLike | float]) -> list[str]:
    """Each operand as code. One of the first two is a curve: 2 * 3 would be a number."""
    texts = [f"({each!r})" if isinstance(each, Sum) else repr(each) for each in operands]
    if not any(map(callable, operands[:2])):
        last = len(operands[:2]) - 1
        texts[last] = repr(Constant(operands[last]))  # type: ignore[arg-type]  # not callable
    return texts


def _multiplied(factors: Sequence[CurveLike | float]) -> str:
    return " * ".join(_shown(factors))


def _added(term: CurveLike | float, shown: str) -> str:
    """A later term of a sum as code, with its sign before it."""
    if isinstance(term, Product) and term.factors[0] == -1:
        return f" - {_multiplied(term.factors[1:])}"
    if not callable(term) and shown.startswith("-"):
        return f" - {shown[1:]}"
    return f" + {shown}"
