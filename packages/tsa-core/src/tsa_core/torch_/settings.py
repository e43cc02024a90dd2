"""The settings of the schedulers in torch: by name, to a scheduler, and back from one."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeAlias

from torch.optim import lr_scheduler as torch_lr
from torch.optim.swa_utils import SWALR

from .states import NOT_SETTINGS

Kind: TypeAlias = Literal[
    "number", "number per group", "list of numbers", "flag", "word", "schedulers", "function"
]


class Steps(NamedTuple):
    """The numbers of steps with which a torch scheduler computes right."""

    whole: bool = True
    """True if a fraction goes wrong: torch compares with the step for equality, or rounds."""
    may_be_zero: bool = False
    """True if 0 steps go right."""


class Setting(NamedTuple):
    """The values that a constructor in torch takes for one of its arguments."""

    kind: Kind  # "number per group" is one number, or a list of them
    required: bool = False
    may_be_none: bool = False  # None is the default
    words: tuple[str, ...] = ()  # the strings of which a "word" is one
    counts_steps: Steps | None = None  # None if it does not count steps


class SchedulerForm(NamedTuple):
    """A torch scheduler as data: its settings, a scheduler made from them, and back.

    :func:`torch_schedulers` has one for each scheduler in torch.
    """

    scheduler_class: type[Any]
    """The class in torch."""

    @property
    def settings(self) -> Mapping[str, Setting]:
        """What the constructor takes, by name: all but ``optimizer``, ``last_epoch``, ``verbose``.

        Each has a ``kind`` of values, and is ``required`` or has a default.
        """
        parameters = inspect.signature(self.scheduler_class.__init__).parameters
        names = [name for name in parameters if name not in NOT_SETTINGS]
        return {name: _setting(name, parameters[name].default) for name in names}

    def make(self, optimizer: Any, settings: Mapping[str, Any]) -> Any:
        """Return a scheduler on ``optimizer`` at its first step.

        Args:
            optimizer: what the constructor takes: an optimizer or a proxy.
            settings: the values of the settings by name.
        """
        if self.scheduler_class is torch_lr.ChainedScheduler:  # it has the optimizer of its parts
            return self.scheduler_class(**settings)
        return self.scheduler_class(optimizer, **settings)

    def settings_of(self, scheduler: Any) -> dict[str, Any]:
        """Return the settings that make ``scheduler`` again, with plain numbers and lists.

        The schedulers in a compound, and functions, are returned as they are. A setting that the
        scheduler keeps as a quotient or a product is recovered so that it gives the same one. A
        setting that is None is left out.

        Args:
            scheduler: an instance of :attr:`scheduler_class`.
        """
        kept = _KEPT.get(self.scheduler_class, lambda _: {})(scheduler)
        settings = {}
        for name, setting in self.settings.items():
            value = _plain(kept[name] if name in kept else getattr(scheduler, name))
            if setting.kind == "number per group" and isinstance(value, list):
                value = value[0] if all(each == value[0] for each in value) else value
            if value is not None:
                settings[name] = value
        return settings


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple, range)):
        return [_plain(each) for each in value]
    # NumPy's and torch's numbers and arrays; not a scheduler
    return value.tolist() if hasattr(value, "tolist") else value


# -- settings that a scheduler keeps in another form: None for one that it does not need -----------


def _near(estimate: float, gives_what_is_kept: Callable[[float], bool]) -> float:
    """Return the argument from which the scheduler computed what it keeps.

    A quotient undoes a product, and the reverse, but for the last digits. Numbers of few digits
    come first, because a user wrote the argument.
    """
    candidates = [*(round(estimate, digits) for digits in range(16)), estimate]
    for direction in (math.inf, -math.inf):
        neighbour = estimate
        for _ in range(3):
            candidates.append(neighbour := math.nextafter(neighbour, direction))
    return next(filter(gives_what_is_kept, candidates), estimate)


def _kept_by_cyclic(schedule: Any) -> dict[str, Any]:
    total, ratio = float(schedule.total_size), float(schedule.step_ratio)
    up = _near(total * ratio, lambda size: size / total == ratio and size + (total - size) == total)
    return {
        "base_lr": schedule.base_lrs,
        "max_lr": schedule.max_lrs,
        "step_size_up": up,
        "step_size_down": total - up,
        "scale_fn": schedule._scale_fn_custom,
        "base_momentum": getattr(schedule, "base_momentums", None),
        "max_momentum": getattr(schedule, "max_momentums", None),
    }


def _kept_by_one_cycle(schedule: Any) -> dict[str, Any]:
    total, phases = schedule.total_steps, schedule._schedule_phases
    greatest, first, last = (_in_groups(schedule, f"{key}_lr") for key in ("max", "initial", "min"))
    has_momentum = schedule.cycle_momentum
    end = float(phases[0]["end_step"])
    return {
        "max_lr": greatest,
        "epochs": None,
        "steps_per_epoch": None,
        "pct_start": _near((end + 1) / total, lambda share: float(share * total) - 1 == end),
        "anneal_strategy": _strategy(schedule),
        "base_momentum": _in_groups(schedule, "base_momentum") if has_momentum else None,
        "max_momentum": _in_groups(schedule, "max_momentum") if has_momentum else None,
        "div_factor": _divisor(greatest, first, 25.0),
        "final_div_factor": _divisor(first, last, 1e4),
        "three_phase": len(phases) == 3,
    }


def _in_groups(schedule: Any, key: str) -> list[Any]:
    return [_plain(group[key]) for group in schedule.optimizer.param_groups]


def _divisor(dividends: Sequence[float], quotients: Sequence[float], default: float) -> float:
    """Return the number by which each dividend was divided; if all are 0, any number does."""
    pairs = [*zip(dividends, quotients)]
    estimate = next((dividend / quotient for dividend, quotient in pairs if quotient), default)
    return _near(
        estimate, lambda number: all(number and one / number == other for one, other in pairs)
    )


def _strategy(schedule: Any) -> str:
    """Return ``"cos"`` or ``"linear"``."""
    kept = vars(schedule)
    word = kept.get("_anneal_func_type") or kept.get("_anneal_strategy")
    # torch < 2.4 (OneCycleLR) and < 2.13 (SWALR) keep the function, _annealing_linear or
    # _linear_anneal, in place of the word.
    return word or ("linear" if "linear" in schedule.anneal_func.__name__ else "cos")


# A default says what kind of value an argument takes. These say more, or have none.
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("base_lr", "max_lr", "min_lr", "swa_lr"), "number per group"),
    **dict.fromkeys(("base_momentum", "max_momentum"), "number per group"),
    **dict.fromkeys(("lr_lambda", "scale_fn"), "function"),
    "milestones": "list of numbers",
    "schedulers": "schedulers",
}

# The settings that count steps. torch (2.0 to 2.15) takes most of them unchecked. It then passes
# over a fraction in silence (step_size, milestones, total_iters), divides by 0 (T_max, also at
# 10/3), or never leaves its first value (0 total_iters). A plateau rounds a fraction up or down.
_COUNTS_STEPS = {
    **dict.fromkeys(("step_size", "milestones", "total_iters", "T_max", "T_0"), Steps()),
    **dict.fromkeys(("total_steps", "epochs", "steps_per_epoch"), Steps()),
    **dict.fromkeys(("anneal_epochs", "patience", "cooldown"), Steps(may_be_zero=True)),
    "step_size_up": Steps(whole=False),
    "step_size_down": Steps(whole=False, may_be_zero=True),
}

# By its default, the other words that an argument takes. torch < 2.9 does not annotate them.
_WORDS = {
    "min": ("min", "max"),
    "rel": ("rel", "abs"),
    "cos": ("cos", "linear"),
    "cycle": ("cycle", "iterations"),
    "triangular": ("triangular", "triangular2", "exp_range"),
}

_KEPT: dict[type[Any], Callable[[Any], dict[str, Any]]] = {
    torch_lr.LambdaLR: lambda s: {"lr_lambda": s.lr_lambdas},
    torch_lr.MultiplicativeLR: lambda s: {"lr_lambda": s.lr_lambdas},
    torch_lr.MultiStepLR: lambda s: {"milestones": sorted(s.milestones.elements())},
    torch_lr.SequentialLR: lambda s: {"schedulers": s._schedulers, "milestones": s._milestones},
    torch_lr.ChainedScheduler: lambda s: {"schedulers": s._schedulers},
    torch_lr.CyclicLR: _kept_by_cyclic,
    torch_lr.OneCycleLR: _kept_by_one_cycle,
    torch_lr.ReduceLROnPlateau: lambda s: {"min_lr": s.min_lrs},
    SWALR: lambda s: {"swa_lr": _in_groups(s, "swa_lr"), "anneal_strategy": _strategy(s)},
}


def _setting(name: str, default: Any) -> Setting:
    if isinstance(default, str):
        return Setting("word", words=_WORDS.get(default, (default,)))
    kind = "flag" if isinstance(default, bool) else _KINDS.get(name, "number")
    is_needed = default is inspect.Parameter.empty
    return Setting(kind, is_needed, default is None, counts_steps=_COUNTS_STEPS.get(name))


# torch < 2.2: a plateau is not an LRScheduler.
_BASES = (torch_lr.LRScheduler, torch_lr.ReduceLROnPlateau)
_FORM_BY_NAME = {
    name: SchedulerForm(each)
    for name, each in {**vars(torch_lr), "SWALR": SWALR}.items()
    if inspect.isclass(each) and issubclass(each, _BASES) and name[0] != "_"
    if each is not torch_lr.LRScheduler
}


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
