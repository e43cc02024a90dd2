"""Schedules, param groups, defaults and tensors put back if a call fails half-way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from .target import ParamGroup, defaults_of, groups_of


@contextmanager
def undone_on_error(optimizers: Iterable[Any], schedules: Iterable[Any] = ()) -> Iterator[None]:
    """If the body raises, put everything back that it set: nobody's state is copied.

    That is the attributes of ``schedules``, the entries of all groups and defaults of
    ``optimizers``, and the tensors among them.
    """
    holders = [holder for optimizer in optimizers for holder in _holders(optimizer)]
    attributes = [getattr(schedule, "__dict__", {}) for schedule in schedules]
    entries = [(holder, dict(holder)) for holder in (*holders, *attributes)]
    tensors = [(held, held.detach().clone()) for holder in holders for held in _tensors_in(holder)]
    try:
        yield
    except BaseException:
        for holder, held in entries:
            for key in holder.keys() - held.keys():
                del holder[key]
            holder.update(held)
        with torch.no_grad():
            for tensor, value in tensors:
                if not torch.equal(tensor, value):  # one of inference mode cannot be written
                    tensor.copy_(value)
        raise


def _holders(optimizer: Any) -> list[ParamGroup]:
    defaults = defaults_of(optimizer)
    return [*groups_of(optimizer), *([defaults] if isinstance(defaults, MutableMapping) else ())]


def _tensors_in(holder: ParamGroup) -> Iterator[Tensor]:
    """Yield the tensors that a schedule could fill: not the parameters, nor one without data."""
    for key, entry in holder.items():
        elements = entry if isinstance(entry, (list, tuple)) and key != "params" else (entry,)
        yield from (each for each in elements if isinstance(each, Tensor) and not each.is_meta)
