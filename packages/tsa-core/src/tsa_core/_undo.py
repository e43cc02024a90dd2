"""Param groups as they were, where a call fails half-way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from ._target import ParamGroup, Target


@contextmanager
def undone_on_error(groups: Sequence[ParamGroup], targets: Sequence[Target]) -> Iterator[None]:
    """Put every group back as it was if the body raises, and the tensors of ``targets`` too."""
    saved = [(group, dict(group)) for group in groups]
    tensors = [
        (held, held.clone())
        for target in targets
        for group in groups
        if target.is_in(group) and isinstance(held := target.read(group), Tensor)
    ]
    try:
        yield
    except BaseException:
        for group, entries in saved:
            for key in group.keys() - entries.keys():
                del group[key]
            group.update(entries)
        with torch.no_grad():
            for tensor, value in tensors:
                tensor.copy_(value)
        raise
