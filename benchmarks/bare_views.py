"""Views of a param group that check less or work differently, to measure the cost of each check."""

from __future__ import annotations

import operator
from collections.abc import Callable
from math import isfinite
from typing import Any

from torch.optim.lr_scheduler import ExponentialLR

import torch_schedule_anything as tsa
import tsa_core

TARGET = "weight_decay"


class FixedViewsProxy(tsa_core.ProxyOptimizer):
    """A proxy that never checks whether the optimizer still has the same groups."""

    known_groups: list[Any]
    views: list[Any]

    @property
    def param_groups(self) -> Any:
        return self.views


class ComparingProxy(FixedViewsProxy):
    """A proxy that compares all groups of the optimizer with the known ones at each access."""

    @property
    def param_groups(self) -> Any:
        if not all(map(operator.is_, self.optimizer.param_groups, self.known_groups)):
            raise NotImplementedError("the optimizer has other groups than the views")
        return self.views


class UncheckedView:
    """A view that reads and writes the target in the real group, whatever the key."""

    __slots__ = ("_group", "_key")

    def __init__(self, group: Any) -> None:
        self._group, self._key = group, TARGET

    def __getitem__(self, key: str) -> Any:
        return self._group[self._key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._group[self._key] = value


class LrOnlyView(UncheckedView):
    """A view that also checks that the key is ``lr``."""

    __slots__ = ()

    def __getitem__(self, key: str) -> Any:
        if key == "lr":
            return self._group[self._key]
        raise KeyError(key)

    def __setitem__(self, key: str, value: Any) -> None:
        if key == "lr":
            self._group[self._key] = value
        else:
            raise KeyError(key)


class FiniteOnlyView(LrOnlyView):
    """A view that also refuses to write anything except a finite float."""

    __slots__ = ()

    def __setitem__(self, key: str, value: Any) -> None:
        if key == "lr" and type(value) is float and isfinite(value):
            self._group[self._key] = value
        else:
            raise KeyError(key)


class TensorCheckingView(FiniteOnlyView):
    """A view that also checks for a tensor in the group, which a write would have to fill."""

    __slots__ = ()

    def __setitem__(self, key: str, value: Any) -> None:
        group = self._group
        if key == "lr" and type(value) is type(group[self._key]) is float and isfinite(value):
            group[self._key] = value
        else:
            raise KeyError(key)


class CopyingView(dict[str, Any]):
    """A dict with a copy of the value: reads are as fast as a dict's, writes go to both dicts."""

    __slots__ = ("_group", "_key")

    def __init__(self, group: Any) -> None:
        super().__init__(lr=group[TARGET])
        self._group, self._key = group, TARGET

    def __setitem__(self, key: str, value: Any) -> None:
        group = self._group
        if key == "lr" and type(value) is type(group[self._key]) is float and isfinite(value):
            group[self._key] = value
            dict.__setitem__(self, key, value)
        else:
            raise KeyError(key)


def exponential_through(
    view: Callable[[Any], Any], proxy: type[FixedViewsProxy] = FixedViewsProxy
) -> Callable[[Any], Any]:
    """A function that puts an ExponentialLR on such a proxy with such views of an optimizer."""

    def make(optimizer: Any) -> Any:
        schedule = tsa.arbitrary_schedule_factory(
            optimizer, lambda p: ExponentialLR(p, 0.9999), schedule_target=TARGET
        )
        schedule.optimizer = proxy(optimizer, TARGET)
        schedule.optimizer.known_groups = list(optimizer.param_groups)
        schedule.optimizer.views = [view(group) for group in optimizer.param_groups]
        return schedule

    return make


BARE_VIEWS = {
    "reads and writes the real group, whatever the key": exponential_through(UncheckedView),
    "… if the key is `lr`": exponential_through(LrOnlyView),
    "… and refuses anything except a finite float": exponential_through(FiniteOnlyView),
    "… or fills a tensor, if the group holds one": exponential_through(TensorCheckingView),
}
OTHER_VIEWS = {
    "knows its dict, while the proxy compares all dicts at each access": exponential_through(
        TensorCheckingView, ComparingProxy
    ),
    "is a dict with a copy of the value, without a check that it is up to date": (
        exponential_through(CopyingView)
    ),
}
