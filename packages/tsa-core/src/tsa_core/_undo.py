"""Param groups, defaults and tensors put back if a call fails half-way."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from ._target import OptimizerLike, Target, defaults_of, groups_of


@contextmanager
def undone_on_error(optimizer: OptimizerLike, targets: Sequence[Target]) -> Iterator[None]:
    """If the body raises, put all groups, the defaults and the tensors of ``targets`` back."""
    groups = groups_of(optimizer)
    defaults = defaults_of(optimizer)
    holders = [*groups, defaults] if isinstance(defaults, MutableMapping) else groups
    saved = [(holder, dict(holder)) for holder in holders]
    tensors = [
        (held, held.clone())
        for target in targets
        for group in groups
        if target.is_in(group) and isinstance(held := target.read(group), Tensor)
    ]
    try:
        yield
    except BaseException:
        for holder, entries in saved:
            for key in holder.keys() - entries.keys():
                del holder[key]
            holder.update(entries)
        with torch.no_grad():
            for tensor, value in tensors:
                if not torch.equal(tensor, value):  # one of inference mode cannot be written
                    tensor.copy_(value)
        raise
