"""The settings of the schedulers in torch: by name, to a scheduler, and back from one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeAlias

from torch.optim import lr_scheduler as torch_lr
from torch.optim.swa_utils import SWALR

Kind: TypeAlias = Literal[
    "number", "number per group", "list of numbers", "flag", "word", "schedulers", "function"
]


class Setting(NamedTuple):
    """The values that a constructor in torch takes for one of its arguments."""

    kind: Kind
    """The values that it takes; ``"number per group"`` is one number, or a list of them."""
    required: bool = False
    """True if it has to be given."""
    may_be_none: bool = False
    """True if None is the default."""
    words: tuple[str, ...] = ()
    """The strings of which a ``"word"`` is one."""


class SchedulerForm:
    """A torch scheduler as data: its settings, a scheduler made from them, and back.

    :func:`torch_schedulers` has one for each scheduler in torch.
    """

    scheduler_class: type[Any]
    """The class in torch."""
    settings: Mapping[str, Setting]
    """What the constructor takes, by name: its arguments except ``optimizer``, ``last_epoch`` and
    ``verbose``. Each has a ``kind`` of values, and is ``required`` or has a default."""

    def __init__(
        self,
        scheduler_class: type[Any],
        settings: Mapping[str, Setting],
        read: Callable[[Any], Mapping[str, Any]] | None = None,
    ) -> None:
        self.scheduler_class = scheduler_class
        self.settings = MappingProxyType(settings)
        self._read = read

    def make(self, optimizer: Any, settings: Mapping[str, Any]) -> Any:
        """Return a scheduler on ``optimizer`` at its first step.

        Args:
            optimizer: what the constructor takes: an optimizer or a proxy.
            settings: the values of the settings by name.

        Raises:
            Exception: whatever the constructor raises.
        """
        if self.scheduler_class is torch_lr.ChainedScheduler:  # it has the optimizer of its parts
            return self.scheduler_class(**settings)
        return self.scheduler_class(optimizer, **settings)

    def settings_of(self, scheduler: Any) -> dict[str, Any]:
        """Return the settings that make ``scheduler`` again, with plain numbers and lists.

        The schedulers in a compound, and functions, are returned as they are. A setting that the
        scheduler keeps as a quotient or a product is recovered so that it gives the same one.

        Args:
            scheduler: an instance of :attr:`scheduler_class`.
        """
        read = self._read or (lambda each: {name: getattr(each, name) for name in self.settings})
        return {name: _plain(value) for name, value in read(scheduler).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple, range)):
        return [_plain(each) for each in value]
    # NumPy's and torch's numbers and arrays; not a scheduler
    return value.tolist() if hasattr(value, "tolist") else value


# -- settings that a scheduler keeps in another form -----------------------------------------------


def _one_or_each(values: Sequence[Any]) -> Any:
    values = _plain(list(values))
    return values[0] if all(value == values[0] for value in values) else values


def _near(estimate: float, gives_what_is_kept: Callable[[float], bool]) -> float:
    """Return the argument from which the scheduler computed what it keeps.

    A quotient undoes a product, and the reverse, but for the last digits. Numbers of few digits
    come first, because a user wrote the argument.
    """
    candidates = [round(estimate, digits) for digits in range(16)]
    for direction in (math.inf, -math.inf):
        neighbour = estimate
        for _ in range(4):
            candidates.append(neighbour)
            neighbour = math.nextafter(neighbour, direction)
    return next(filter(gives_what_is_kept, candidates), estimate)


def _momentum_settings(base: Sequence[Any], greatest: Sequence[Any]) -> dict[str, Any]:
    return {"base_momentum": _one_or_each(base), "max_momentum": _one_or_each(greatest)}


def _read_cyclic(schedule: Any) -> dict[str, Any]:
    total, ratio = float(schedule.total_size), float(schedule.step_ratio)
    up = _near(total * ratio, lambda size: size / total == ratio and size + (total - size) == total)
    momentum = {}
    if schedule.cycle_momentum:
        momentum = _momentum_settings(schedule.base_momentums, schedule.max_momentums)
    return {
        "base_lr": _one_or_each(schedule.base_lrs),
        "max_lr": _one_or_each(schedule.max_lrs),
        "step_size_up": up,
        "step_size_down": total - up,
        "mode": schedule.mode,
        "gamma": schedule.gamma,
        "scale_fn": schedule._scale_fn_custom,
        "scale_mode": schedule.scale_mode,
        "cycle_momentum": schedule.cycle_momentum,
        **momentum,
    }


def _read_one_cycle(schedule: Any) -> dict[str, Any]:
    groups, total, phases = (
        schedule.optimizer.param_groups,
        schedule.total_steps,
        schedule._schedule_phases,
    )
    greatest, first, last = (
        [_plain(group[key]) for group in groups] for key in ("max_lr", "initial_lr", "min_lr")
    )
    end = float(phases[0]["end_step"])
    momentum = {}
    if schedule.cycle_momentum:
        momentum = _momentum_settings(
            [group["base_momentum"] for group in groups],
            [group["max_momentum"] for group in groups],
        )
    return {
        "max_lr": _one_or_each(greatest),
        "total_steps": total,
        "pct_start": _near((end + 1) / total, lambda share: float(share * total) - 1 == end),
        "anneal_strategy": _strategy(schedule, "_anneal_func_type"),
        "cycle_momentum": schedule.cycle_momentum,
        **momentum,
        "div_factor": _divisor(greatest, first, 25.0),
        "final_div_factor": _divisor(first, last, 1e4),
        "three_phase": len(phases) == 3,
    }


def _divisor(dividends: Sequence[float], quotients: Sequence[float], default: float) -> float:
    """Return the number by which each dividend was divided; if all are 0, any number does."""
    pairs = [*zip(dividends, quotients)]
    estimate = next((dividend / quotient for dividend, quotient in pairs if quotient), default)
    return _near(
        estimate, lambda number: all(number and one / number == other for one, other in pairs)
    )


def _strategy(schedule: Any, entry: str) -> str:
    """Return ``"cos"`` or ``"linear"``."""
    if entry in vars(schedule):
        return str(vars(schedule)[entry])
    # torch < 2.4 (OneCycleLR) and < 2.13 (SWALR) keep the function, _annealing_linear or
    # _linear_anneal, in place of the word.
    return "linear" if "linear" in schedule.anneal_func.__name__ else "cos"


def _read_plateau(schedule: Any) -> dict[str, Any]:
    names = ("mode", "factor", "patience", "threshold", "threshold_mode", "cooldown", "eps")
    least = getattr(schedule, "default_min_lr", None)  # torch >= 2.4
    return {
        **{name: getattr(schedule, name) for name in names},
        "min_lr": _one_or_each(schedule.min_lrs) if least is None else least,
    }


def _read_swa(schedule: Any) -> dict[str, Any]:
    return {
        "swa_lr": _one_or_each([group["swa_lr"] for group in schedule.optimizer.param_groups]),
        "anneal_epochs": schedule.anneal_epochs,
        "anneal_strategy": _strategy(schedule, "_anneal_strategy"),
    }


# -- each scheduler: every argument of its constructor, but optimizer, last_epoch, verbose ---------

_NUMBER = Setting("number")
_NEEDED = Setting("number", required=True)
_OR_NONE = Setting("number", may_be_none=True)
_PER_GROUP = Setting("number per group")
_NEEDED_PER_GROUP = Setting("number per group", required=True)
_FLAG = Setting("flag")
_FUNCTION = Setting("function", required=True)
_SCHEDULERS = Setting("schedulers", required=True)
_STRATEGY = Setting("word", words=("cos", "linear"))
_MOMENTUM = {"cycle_momentum": _FLAG, "base_momentum": _PER_GROUP, "max_momentum": _PER_GROUP}

_FORMS = [
    SchedulerForm(
        torch_lr.LambdaLR, {"lr_lambda": _FUNCTION}, lambda each: {"lr_lambda": each.lr_lambdas}
    ),
    SchedulerForm(
        torch_lr.MultiplicativeLR,
        {"lr_lambda": _FUNCTION},
        lambda each: {"lr_lambda": each.lr_lambdas},
    ),
    SchedulerForm(torch_lr.StepLR, {"step_size": _NEEDED, "gamma": _NUMBER}),
    SchedulerForm(
        torch_lr.MultiStepLR,
        {"milestones": Setting("list of numbers", required=True), "gamma": _NUMBER},
        lambda each: {"milestones": sorted(each.milestones.elements()), "gamma": each.gamma},
    ),
    SchedulerForm(torch_lr.ConstantLR, {"factor": _NUMBER, "total_iters": _NUMBER}),
    SchedulerForm(
        torch_lr.LinearLR,
        {"start_factor": _NUMBER, "end_factor": _NUMBER, "total_iters": _NUMBER},
    ),
    SchedulerForm(torch_lr.ExponentialLR, {"gamma": _NEEDED}),
    SchedulerForm(torch_lr.PolynomialLR, {"total_iters": _NUMBER, "power": _NUMBER}),
    SchedulerForm(torch_lr.CosineAnnealingLR, {"T_max": _NEEDED, "eta_min": _NUMBER}),
    SchedulerForm(
        torch_lr.CosineAnnealingWarmRestarts,
        {"T_0": _NEEDED, "T_mult": _NUMBER, "eta_min": _NUMBER},
    ),
    SchedulerForm(
        torch_lr.SequentialLR,
        {"schedulers": _SCHEDULERS, "milestones": Setting("list of numbers", required=True)},
        lambda each: {"schedulers": each._schedulers, "milestones": each._milestones},
    ),
    SchedulerForm(
        torch_lr.ChainedScheduler,
        {"schedulers": _SCHEDULERS},
        lambda each: {"schedulers": each._schedulers},
    ),
    SchedulerForm(
        torch_lr.CyclicLR,
        {
            "base_lr": _NEEDED_PER_GROUP,
            "max_lr": _NEEDED_PER_GROUP,
            "step_size_up": _NUMBER,
            "step_size_down": _OR_NONE,
            "mode": Setting("word", words=("triangular", "triangular2", "exp_range")),
            "gamma": _NUMBER,
            "scale_fn": Setting("function", may_be_none=True),
            "scale_mode": Setting("word", words=("cycle", "iterations")),
            **_MOMENTUM,
        },
        _read_cyclic,
    ),
    SchedulerForm(
        torch_lr.OneCycleLR,
        {
            "max_lr": _NEEDED_PER_GROUP,
            "total_steps": _OR_NONE,
            "epochs": _OR_NONE,
            "steps_per_epoch": _OR_NONE,
            "pct_start": _NUMBER,
            "anneal_strategy": _STRATEGY,
            **_MOMENTUM,
            "div_factor": _NUMBER,
            "final_div_factor": _NUMBER,
            "three_phase": _FLAG,
        },
        _read_one_cycle,
    ),
    SchedulerForm(
        torch_lr.ReduceLROnPlateau,
        {
            "mode": Setting("word", words=("min", "max")),
            "factor": _NUMBER,
            "patience": _NUMBER,
            "threshold": _NUMBER,
            "threshold_mode": Setting("word", words=("rel", "abs")),
            "cooldown": _NUMBER,
            "min_lr": _PER_GROUP,
            "eps": _NUMBER,
        },
        _read_plateau,
    ),
    SchedulerForm(
        SWALR,
        {"swa_lr": _NEEDED_PER_GROUP, "anneal_epochs": _NUMBER, "anneal_strategy": _STRATEGY},
        _read_swa,
    ),
]

_FORM_BY_NAME = {form.scheduler_class.__name__: form for form in _FORMS}


def torch_schedulers() -> Mapping[str, SchedulerForm]:
    """Return torch's schedulers by name, for code that reads or writes them as data.

    They are the classes in ``torch.optim.lr_scheduler``, and ``SWALR``.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> form = torch_schedulers()["StepLR"]
        >>> scheduler = form.make(optimizer, {"step_size": 30})
        >>> form.settings_of(scheduler)
        {'step_size': 30, 'gamma': 0.1}
    """
    return MappingProxyType(_FORM_BY_NAME)
