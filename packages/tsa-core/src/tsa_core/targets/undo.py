"""Param groups, defaults, tensors and schedules put back if a call fails half-way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from .target import defaults_of, groups_of

# Puts something back.
Undo = Callable[[], None]


@contextmanager
def undone_on_error(optimizers: Iterable[Any], undos: Iterable[Undo] = ()) -> Iterator[None]:
    """If the body raises, run ``undos``, then put all groups, defaults and tensors back."""
    undos = [*undos, *map(_undo_of_groups, optimizers)]
    try:
        yield
    except BaseException:
        for undo in undos:
            undo()
        raise


def undo_of(thing: Any) -> Undo:
    """Return what gives ``thing`` its present attributes back."""
    attributes = dict(vars(thing))
    return lambda: vars(thing).update(attributes)


def _undo_of_groups(optimizer: Any) -> Undo:
    defaults = defaults_of(optimizer)
    holders = [*groups_of(optimizer), *([defaults] if isinstance(defaults, MutableMapping) else ())]
    saved = [(holder, dict(holder)) for holder in holders]
    tensors = [(held, held.detach().clone()) for holder in holders for held in _tensors_in(holder)]

    def undo() -> None:
        for holder, entries in saved:
            for key in holder.keys() - entries.keys():
                del holder[key]
            holder.update(entries)
        with torch.no_grad():
            for tensor, value in tensors:
                if not torch.equal(tensor, value):  # one of inference mode cannot be written
                    tensor.copy_(value)

    return undo


def _tensors_in(holder: MutableMapping[str, Any]) -> Iterator[Tensor]:
    """Yield the tensors that a schedule could fill: all but the parameters."""
    for key, entry in holder.items():
        if isinstance(entry, Tensor):
            yield entry
        elif isinstance(entry, (list, tuple)) and key != "params":
            yield from (each for each in entry if isinstance(each, Tensor))
