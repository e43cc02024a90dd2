"""Views of a param group that check less and less, to find out what each check costs."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

from torch.optim.lr_scheduler import ExponentialLR

import torch_schedule_anything as tsa

TARGET = "weight_decay"


class Unlooking(tsa.ProxyOptimizer):
    """A proxy that does not look whether its groups are still the optimizer's."""

    views: Any

    @property
    def param_groups(self) -> Any:
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


def proxied(views: Callable[[tsa.ProxyOptimizer], Any]) -> Callable[[Any], Any]:
    """What puts ExponentialLR on a proxy with such views."""

    def make(optimizer: Any) -> Any:
        schedule = tsa.arbitrary_schedule_factory(
            optimizer, lambda proxy: ExponentialLR(proxy, 0.9999), schedule_target=TARGET
        )
        unlooking = Unlooking(optimizer, TARGET)
        unlooking.views = views(schedule.optimizer)
        schedule.optimizer = unlooking
        return schedule

    return make


def of(cls: type[WhateverKey]) -> Callable[[tsa.ProxyOptimizer], Any]:
    return lambda proxy: [cls(group) for group in proxy.optimizer.param_groups]


VIEWS = {
    "looks into the real group, whatever the key": proxied(of(WhateverKey)),
    "… where the key is `lr`": proxied(of(OnlyLr)),
    "… and refuses what is no finite float": proxied(of(OnlyFinite)),
    "… or fills a tensor, where the group holds one": proxied(of(OrTensor)),
}
