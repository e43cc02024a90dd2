"""Views of a param group that check less or work otherwise, to find out what each costs."""

from __future__ import annotations

import operator
from collections.abc import Callable
from math import isfinite
from typing import Any

from torch.optim.lr_scheduler import ExponentialLR

import torch_schedule_anything as tsa

TARGET = "weight_decay"


class Unlooking(tsa.ProxyOptimizer):
    """A proxy that does not look whether its groups are still the optimizer's."""

    known: list[Any]
    views: list[Any]

    @property
    def param_groups(self) -> Any:
        return self.views


class Comparing(Unlooking):
    """A proxy that compares, at each access, the dicts of its views with the optimizer's."""

    @property
    def param_groups(self) -> Any:
        if not all(map(operator.is_, self.optimizer.param_groups, self.known)):
            raise NotImplementedError("views of other dicts")
        return self.views


class WhateverKey:
    """Looks into the real group, and does nothing else."""

    __slots__ = ("_group", "_key")

    def __init__(self, group: Any) -> None:
        self._group, self._key = group, TARGET

    def __getitem__(self, key: str) -> Any:
        return self._group[self._key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._group[self._key] = value


class OnlyLr(WhateverKey):
    """… for the key that a scheduler asks for."""

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


class OnlyFinite(OnlyLr):
    """… and refuses to write what is no finite float."""

    __slots__ = ()

    def __setitem__(self, key: str, value: Any) -> None:
        if key == "lr" and type(value) is float and isfinite(value):
            self._group[self._key] = value
        else:
            raise KeyError(key)


class OrTensor(OnlyFinite):
    """… or looks first whether the group holds a tensor, which would have to be filled."""

    __slots__ = ()

    def __setitem__(self, key: str, value: Any) -> None:
        group = self._group
        if key == "lr" and type(value) is type(group[self._key]) is float and isfinite(value):
            group[self._key] = value
        else:
            raise KeyError(key)


class Dict(dict[str, Any]):
    """A dict of its own, so that a read is no call of Python. A write goes to both."""

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


def proxied(view: Callable[[Any], Any], proxy: type[Unlooking] = Unlooking) -> Callable[[Any], Any]:
    """What puts ExponentialLR on such a proxy with such views."""

    def make(optimizer: Any) -> Any:
        schedule = tsa.arbitrary_schedule_factory(
            optimizer, lambda p: ExponentialLR(p, 0.9999), schedule_target=TARGET
        )
        schedule.optimizer = proxy(optimizer, TARGET)
        schedule.optimizer.known = list(optimizer.param_groups)
        schedule.optimizer.views = [view(group) for group in optimizer.param_groups]
        return schedule

    return make


VIEWS = {
    "looks into the real group, whatever the key": proxied(WhateverKey),
    "… where the key is `lr`": proxied(OnlyLr),
    "… and refuses what is no finite float": proxied(OnlyFinite),
    "… or fills a tensor, where the group holds one": proxied(OrTensor),
}
OTHERWISE = {
    "knows its dict, while the proxy compares all dicts at each access": proxied(
        OrTensor, Comparing
    ),
    "is a dict with a copy of the value, and nobody looks whether that still holds": proxied(Dict),
}
