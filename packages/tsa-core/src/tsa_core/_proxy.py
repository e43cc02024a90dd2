"""What a torch scheduler sees instead of the optimizer: its target, under the name ``lr``."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from math import isfinite
from typing import Any, NoReturn

from torch import Tensor
from torch.optim import Optimizer

from ._step_order import has_stepped, watch_steps
from ._target import LEGACY, OptimizerLike, ParamGroup, Target, defaults_of, groups_of, real_number

# Where torch's schedulers keep what is theirs. A scheduler put on the real optimizer leaves
# these in the real group, where they are about the learning rate and nothing else.
_AUXILIARY = frozenset({"max_lr", "min_lr", "swa_lr", "max_momentum", "base_momentum", LEGACY})
_RENAMED = frozenset({"lr", "initial_lr"})


class ProxyOptimizer(Optimizer):
    """The stand-in optimizer on which a torch scheduler's ``lr`` is the target.

    ``arbitrary_schedule_factory`` makes one and hands it to your factory. It *is* a
    ``torch.optim.Optimizer`` to everything that asks, and forwards to the real optimizer what it
    does not redefine. In its param groups

    - ``group["lr"]`` is the target of the real group (``group["weight_decay"]``, say),
    - ``group["initial_lr"]`` is the target's initial value, kept in the real group under
      ``"initial_<target>"``,
    - what schedulers keep for themselves (``max_lr``, ``swa_lr``, …) stays in the proxy,
    - every other entry can be read. Writing one is a ``ValueError``, except where the target is
      ``"lr"``: then the proxy does what the optimizer would.

    Args:
        optimizer: a ``torch.optim.Optimizer``, or anything that keeps ``param_groups`` as one does.
        schedule_target: the entry to present as ``lr``: ``"weight_decay"``, or ``"betas[0]"`` for
            an element of a tuple.

    Raises:
        TypeError: ``optimizer`` has no param groups, or the target holds no real number.
        KeyError: a group lacks the target.
        ValueError: the target holds NaN, an infinity or a tensor that is learned
            (``requires_grad``), its name is malformed, or ``optimizer`` is a proxy already.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))], weight_decay=0.01)
        >>> proxy = ProxyOptimizer(optimizer, "weight_decay")
        >>> proxy.param_groups[0]["lr"]
        0.01
        >>> proxy.param_groups[0]["lr"] = 0.02
        >>> optimizer.param_groups[0]["weight_decay"]
        0.02
    """

    optimizer: Any
    """The real optimizer."""
    accepts_new_groups: bool
    """Whether a group that joins the optimizer shows here; most torch schedulers cannot take it."""

    # The base constructor never runs: it would collect parameters and groups of its own.
    def __init__(self, optimizer: OptimizerLike, schedule_target: str = "lr") -> None:
        target = Target.parse(schedule_target)
        groups = groups_of(optimizer)
        refuse_proxy(optimizer)
        target.check(groups)
        self.optimizer = optimizer
        self.accepts_new_groups = False
        self._target = target
        self._auxiliary: list[dict[str, Any]] = [{} for _ in groups]
        self._groups: Sequence[ParamGroup] = ()
        self._views: list[dict[str, Any]] = []
        watch_steps(optimizer)

    @property
    def schedule_target(self) -> str:
        """The name of the entry that is presented as ``lr``."""
        return self._target.name

    @property
    def param_groups(self) -> list[dict[str, Any]]:  # type: ignore[override]  # derived, so read-only
        """One view a group of the real optimizer, in its order."""
        groups = self.optimizer.param_groups
        # A dict that is replaced in its list, the view of its place finds there. load_state_dict
        # brings a new list: a view into the old one would move what no step reads any more. And
        # where there are tensors, `_groups` is a list of our own: a new dict may share one.
        if len(groups) != len(self._views) or not (
            groups is self._groups or all(map(operator.is_, groups, self._groups))
        ):
            self._renew_views(groups_of(self.optimizer))
        return self._views

    def _check_groups(self) -> None:
        """Raise what looking at ``param_groups`` would: a group joined, or one lost the target.

        A torch scheduler counts its step before it looks.
        """
        self.param_groups  # noqa: B018

    def _renew_views(self, groups: Sequence[ParamGroup]) -> None:
        if len(groups) != len(self._auxiliary):
            if not self.accepts_new_groups:
                raise RuntimeError(
                    f"the schedule of {self.schedule_target!r} was built for "
                    f"{len(self._auxiliary)} param groups and the optimizer has {len(groups)}: "
                    "torch's schedulers cannot take a group that joins or leaves later. Build the "
                    "schedule again, or use CurveSchedule, which takes it"
                )
            del self._auxiliary[len(groups) :]
            self._auxiliary += [{} for _ in groups[len(self._auxiliary) :]]
        self._target.check(groups)
        self._target.unshare(self.optimizer, groups)
        tensors = any(isinstance(self._target.read(group), Tensor) for group in groups)
        self._groups = list(groups) if tensors else groups
        # Mappings, not dicts; torch declares dicts and asks for no more than a mapping.
        view = _GroupView if self._target.index is None else _ElementView
        self._views = [
            view(self._target, groups, i, own)  # type: ignore[misc]
            for i, own in enumerate(self._auxiliary)
        ]

    @property
    def defaults(self) -> dict[str, Any]:  # type: ignore[override]  # derived, so read-only
        """The real optimizer's, with the target's default as ``lr``; some schedulers scale by it.

        What an entry of the user's own was added with, no optimizer remembers: there it is the
        initial value of the first group.
        """
        defaults = defaults_of(self.optimizer)
        target = self._target
        known = target.is_in(defaults)
        lr = target.read(defaults) if known else target.initial_or_present(self._first_group())
        return {**defaults, "lr": lr}

    def _first_group(self) -> ParamGroup:
        return groups_of(self.optimizer)[0]

    # -- what torch asks about the order of steps ------------------------------------------

    def _refuse_step(self, closure: Callable[[], float] | None = None) -> NoReturn:
        raise RuntimeError(
            f"{self!r} only stands in for {type(self.optimizer).__name__} in front of a scheduler: "
            "step the optimizer itself"
        )

    # Schedulers look for these marks to see whether ``step`` already keeps count for them.
    _refuse_step._wrapped_by_lr_sched = True  # type: ignore[attr-defined]  # torch >= 2.4
    _refuse_step._with_counter = True  # type: ignore[attr-defined]  # torch < 2.4

    @property
    def step(self) -> Any:
        """Refused: ``RuntimeError``. Step the real optimizer."""
        return self._refuse_step

    @step.setter
    def step(self, value: object) -> None:
        """Torch < 2.4 puts the marked method back; kept, it would be a reference cycle."""

    @property
    def _opt_called(self) -> bool:  # read by torch >= 2.4
        return has_stepped(self.optimizer)

    @property
    def _step_count(self) -> int:  # read, and set to 0, by torch < 2.4
        return int(has_stepped(self.optimizer))

    @_step_count.setter
    def _step_count(self, value: int) -> None:
        pass

    # -- the rest of an optimizer ----------------------------------------------------------

    def load_state_dict(self, state_dict: Any) -> NoReturn:
        """Refused: ``RuntimeError``. Load into the real optimizer."""
        raise RuntimeError(
            f"{self!r} holds no state: load into {type(self.optimizer).__name__} itself"
        )

    def __getattr__(self, name: str) -> Any:
        # Not set yet where copy and pickle ask before they restore; and what they ask for,
        # __deepcopy__ and its like, would make them copy the real optimizer in our place.
        if name == "optimizer" or (name.startswith("__") and name.endswith("__")):
            raise AttributeError(name)
        return getattr(self.optimizer, name)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_groups": (), "_views": []}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        watch_steps(self.optimizer)  # hooks do not survive a copy of the optimizer

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.schedule_target!r} of {type(self.optimizer).__name__} "
            f"as lr, now {self._target.read_or_none(self.optimizer.param_groups)})"
        )


def refuse_proxy(optimizer: object) -> None:
    """A proxy presents one entry alone; a second one has to be put on the optimizer behind it."""
    if isinstance(optimizer, ProxyOptimizer):
        raise ValueError(
            f"optimizer: {optimizer!r} is a proxy already; build the scheduler on it directly, or "
            "schedule another entry on the optimizer behind it"
        )


def _forward(name: str) -> property:
    return property(lambda proxy: getattr(proxy.optimizer, name))


# What the class inherits would act on the proxy, which holds nothing: send it all on.
for _name, _member in vars(Optimizer).items():
    if inspect.isfunction(_member) and _name not in vars(ProxyOptimizer):
        setattr(ProxyOptimizer, _name, _forward(_name))


class _GroupView(MutableMapping[str, Any]):
    """One param group as a scheduler of the target sees it."""

    __slots__ = ("_groups", "_index", "_key", "_own", "_plain", "_target")

    def __init__(
        self, target: Target, groups: Sequence[ParamGroup], index: int, own: dict[str, Any]
    ) -> None:
        self._target = target
        self._key = target.key
        self._plain = float if target.index is None else None  # as in Target.scale
        self._groups = groups
        self._index = index
        self._own = own

    @property
    def _group(self) -> ParamGroup:
        """The real group: whichever is in this place now."""
        return self._groups[self._index]

    # torch's schedulers read ``lr`` three or four times a step and write it once, in each group:
    # these two come before everything else, and without a call.
    def __getitem__(self, key: str) -> Any:
        if key == "lr":
            try:
                return self._groups[self._index][self._key]
            except LookupError:
                self._target.check_present(self._groups)  # says which groups, and what to do
                raise
        group, target = self._groups[self._index], self._target
        if key == "initial_lr":
            if target.has_initial(group):
                return target.initial(group)
            raise KeyError(key)
        if key in self._own:
            return self._own[key]
        if key in _AUXILIARY and target.name != "lr":
            raise KeyError(
                f"{key!r}: in the param groups it is about the learning rate; a schedule of "
                f"{target.name!r} keeps its own here, and this one has not written it yet"
            )
        return group[key]

    def __setitem__(self, key: str, value: Any) -> None:
        group, target = self._groups[self._index], self._target
        if key == "lr":
            try:
                if type(value) is type(group[self._key]) is self._plain and isfinite(value):
                    group[self._key] = value
                else:
                    target.write(group, self._checked(value))
            except (LookupError, TypeError):
                target.check_present(self._groups)
                raise
        elif key == "initial_lr":
            initial = self._checked(value)
            # torch < 2.4 hands over the very tensor that is about to be filled.
            group[target.initial_key] = initial.clone() if isinstance(initial, Tensor) else initial
        elif key in _AUXILIARY or key not in group:
            self._own[key] = value
        elif target.name == "lr":
            group[key] = value
        else:
            raise ValueError(
                f"a schedule of {target.name!r} would write {key!r} of param group {self._index}. "
                f"On this proxy {target.name!r} is called 'lr', and no other entry is its to "
                "write. If that was a scheduler cycling momentum, write cycle_momentum=False and "
                f"give {key!r} a schedule of its own"
            )

    def _checked(self, value: Any) -> Any:
        # A tensor stays one, and a check would make an accelerator wait for its value.
        if isinstance(value, Tensor) and value.device.type != "cpu":
            return value
        try:
            number = real_number(value)
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"{self._target.name!r} in param group {self._index} at step "
                f"{_step_of_caller()}: the schedule gave {error}"
            ) from None
        return value if isinstance(value, Tensor) and isinstance(self["lr"], Tensor) else number

    def __delitem__(self, key: str) -> None:
        if key not in self._own:
            raise KeyError(f"{key!r} belongs to the optimizer, not to the schedule")
        del self._own[key]

    def __iter__(self) -> Iterator[str]:
        yield "lr"
        if self._target.has_initial(self._group):
            yield "initial_lr"
        yield from self._own
        hidden = _RENAMED if self._target.name == "lr" else _RENAMED | _AUXILIARY
        yield from (key for key in self._group if key not in hidden and key not in self._own)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        shown = {key: value for key, value in self.items() if key != "params"}
        return f"<param group {self._index} with {self._target.name!r} as lr: {shown}>"


class _ElementView(_GroupView):
    """The same for a target that is one element of a tuple."""

    __slots__ = ()

    def __getitem__(self, key: str) -> Any:
        if key != "lr":
            return super().__getitem__(key)
        try:
            return self._target.read(self._group)
        except (LookupError, TypeError):
            self._target.check_present(self._groups)
            raise


def _step_of_caller() -> int | None:
    """The step of the scheduler that is writing, for an error message.

    A scheduler hands over a value and not its step, and a reference back to it would keep both
    alive; the call stack, which an error prints anyway, knows.
    """
    step = None
    frame = inspect.currentframe()
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(getattr(caller, "__dict__", {}).get("optimizer"), ProxyOptimizer):
            step = getattr(caller, "last_epoch", step)
        frame = frame.f_back
    return step
