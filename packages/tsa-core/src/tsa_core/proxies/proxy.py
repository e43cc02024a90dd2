"""The optimizer that a torch scheduler sees: its target, under the name ``lr``."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Sequence
from typing import Any

from torch.optim import Optimizer

from ..targets.checks import check_target
from ..targets.objects import ObjectGroups
from ..targets.stand_ins import StandIn, refuse_stand_in
from ..targets.target import OptimizerLike, ParamGroup, Target, defaults_of, groups_of, parsed
from ..targets.tensors import give_each_group_its_own_tensor
from ..torch_.compile import skip_frames
from ..torch_.schedulers import auxiliary_key
from ..torch_.steps import STEP_MARKS, has_stepped, watch_steps
from .views import ElementView, GroupView, ObjectView


class ProxyOptimizer(StandIn, Optimizer):
    """The stand-in optimizer on which a torch scheduler's ``lr`` is the target.

    ``arbitrary_schedule_factory`` makes a proxy and passes it to your factory. A proxy *is* a
    ``torch.optim.Optimizer`` for every ``isinstance`` check, and forwards everything else to the
    real optimizer: ``step``, ``zero_grad``, ``state_dict``, ``load_state_dict``. In its param
    groups

    - ``group["lr"]`` is the target of the real group (``group["weight_decay"]``, say),
    - ``group["initial_lr"]`` is the target's initial value, which the real group keeps as
      ``"initial_<target>"``,
    - the values that schedulers keep for themselves (``max_lr``, ``swa_lr``, …) are in the real
      group under names of the target (``"max_<target>"``), so the optimizer saves them,
    - every other entry can be read. Writing one is a ``ValueError``, except if the target is
      ``"lr"``: then the proxy does what the optimizer would.

    Args:
        optimizer: a ``torch.optim.Optimizer``, or any object with such ``param_groups``.
        schedule_target: the entry to present as ``lr``: ``"weight_decay"``, or ``"betas[0]"`` for
            an element of a tuple.

    Raises:
        ValueError: ``optimizer`` is a proxy.
        TypeError, ValueError, KeyError: the target cannot be driven: as :class:`CurveSchedule`.

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
    target: Target
    step: Any
    why_new_groups_are_refused: str | None
    """Why a group that joins later cannot be taken in; None if it can."""

    # The base constructor never runs: it would collect parameters and groups of its own.
    def __init__(self, optimizer: OptimizerLike, schedule_target: str | Target = "lr") -> None:
        target, groups = parsed(schedule_target), groups_of(optimizer)
        refuse_stand_in(optimizer)
        self.optimizer, self.target = optimizer, target
        self.why_new_groups_are_refused = "not every scheduler computes a new group right"
        self._kept_by_scheduler: list[dict[str, Any]] = [{} for _ in groups]
        self._known: list[ParamGroup] = []
        self._list: Sequence[ParamGroup] = []
        self._is_first = not any(target.has_initial(group) for group in groups)
        self._renew_views(groups)
        watch_steps(optimizer)

    @property
    def schedule_target(self) -> str:
        """The name of the entry that is presented as ``lr``."""
        return self.target.name

    @property
    @skip_frames
    def param_groups(self) -> list[dict[str, Any]]:  # type: ignore[override]  # read-only here
        """One view per group of the real optimizer, in its order."""
        groups, known = self.optimizer.param_groups, self._known
        are_known = groups is self._list and len(groups) == len(known)
        if not are_known or not all(map(operator.is_, groups, known)):
            self._renew_views(groups_of(self.optimizer))
        # These are mappings, not dicts: torch declares dicts and needs only mappings.
        return self._views  # type: ignore[return-value]

    def check_groups(self) -> None:
        self.param_groups  # noqa: B018

    def _renew_views(self, groups: Sequence[ParamGroup]) -> None:
        known, kept = self._known, self._kept_by_scheduler
        if self._joined_or_left(groups):
            if self.why_new_groups_are_refused is not None:
                raise RuntimeError(
                    f"the schedule of {self.schedule_target!r} was built for {len(kept)} param "
                    f"groups, and groups have joined or left (there are {len(groups)}), which it "
                    f"cannot follow: {self.why_new_groups_are_refused}. Build the schedule again, "
                    "or use CurveSchedule, which takes in a group that joins later"
                )
            kept_by = {id(group): entries for group, entries in zip(known, kept)}
            kept[:] = [kept_by.get(id(group), {}) for group in groups]
        target = self.target
        check_target(target, groups)
        give_each_group_its_own_tensor(target, self.optimizer, groups)
        # Groups from a checkpoint that was saved before the schedule was there lack its entries.
        for group, entries in zip(groups, kept):
            for key, value in entries.items():
                group.setdefault(auxiliary_key(key, target.name), value)
        self._known, self._list = list(groups), groups
        view = GroupView if target.index is None else ElementView
        if isinstance(groups, ObjectGroups) and target.name in groups.plain_names:
            view = ObjectView
        self._views = [
            view(target, groups, i, entries, self._is_first) for i, entries in enumerate(kept)
        ]

    def _joined_or_left(self, groups: Sequence[ParamGroup]) -> bool:
        """True if other groups are here now, not the same groups in new dicts."""
        if len(groups) != len(self._kept_by_scheduler):
            return True
        place = {id(group): i for i, group in enumerate(self._known)}
        if groups is not self._list and not any(id(group) in place for group in groups):
            return False  # load_state_dict puts a new list of new dicts
        return any(
            place.get(id(group), i) != i
            or (id(group) not in place and not self.target.has_initial(group))
            for i, group in enumerate(groups)
        )

    @property
    def defaults(self) -> dict[str, Any]:  # type: ignore[override]  # read-only here
        """The real optimizer's defaults, with the target's default as ``lr``.

        For an entry that was added later, ``lr`` is the initial value of the first group, because
        the optimizer has no default for it. Some schedulers scale by ``defaults["lr"]``.
        """
        defaults, target = defaults_of(self.optimizer), self.target
        if target.is_in(defaults):
            return {**defaults, "lr": target.read(defaults)}
        return {**defaults, "lr": target.initial_or_present(groups_of(self.optimizer)[0])}

    def _forward_step(self, *args: Any, **kwargs: Any) -> Any:
        return self.optimizer.step(*args, **kwargs)

    vars(_forward_step).update(dict.fromkeys(STEP_MARKS, True))

    # torch < 2.4 puts the marked method back, which would be a reference cycle.
    step = property(skip_frames(lambda self: self._forward_step), lambda *_: None)
    """The real optimizer's step."""

    @skip_frames
    def _has_stepped(self) -> bool:
        return has_stepped(self.optimizer)

    _opt_called = property(_has_stepped)  # read by torch >= 2.4
    _step_count = property(_has_stepped, lambda *_: None)  # read, and set to 0, by torch < 2.4

    def __getattr__(self, name: str) -> Any:
        # copy and pickle ask before `optimizer` is set. They ask for __deepcopy__ and the like,
        # and if these came from the real optimizer, it would be copied instead of the proxy.
        if name == "optimizer" or (name.startswith("__") and name.endswith("__")):
            raise AttributeError(name)
        return getattr(self.optimizer, name)

    def __getstate__(self) -> dict[str, Any]:  # without groups that the optimizer may have replaced
        return {**self.__dict__, "_known": [], "_list": [], "_views": []}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        watch_steps(self.optimizer)  # hooks do not survive a copy of the optimizer

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.schedule_target!r} of {type(self.optimizer).__name__} "
            f"as lr, now {self.target.read_or_none(self.optimizer.param_groups)})"
        )


# An inherited method would act on the proxy, which holds nothing: forward them all.
for _name, _member in vars(Optimizer).items():
    if inspect.isfunction(_member) and _name not in vars(ProxyOptimizer):
        _forward = operator.attrgetter(f"optimizer.{_name}")
        setattr(ProxyOptimizer, _name, property(_forward, doc="That of the real optimizer."))
