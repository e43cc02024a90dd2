"""What a refused call must leave as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import torch
from hypothesis import settings

# How long an example takes says something about the machine, and nothing about the library.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def described(value: Any) -> Any:
    """``value`` to the last bit: what it is, which object it is, and what is in it."""
    if isinstance(value, torch.Tensor):
        return id(value), value.dtype, repr(value.tolist())
    if isinstance(value, (list, tuple)):
        return id(value), [described(element) for element in value]
    return type(value), repr(value)


@pytest.fixture
def untouched() -> Callable[[Any], AbstractContextManager[None]]:
    """A context after which the optimizer's param groups must be what they were before."""

    @contextmanager
    def check(optimizer: Any) -> Iterator[None]:
        def groups() -> list[Any]:
            return [
                (id(group), [(key, described(value)) for key, value in group.items()])
                for group in optimizer.param_groups
            ]

        kept_alive = [dict(group) for group in optimizer.param_groups]  # so that no id is reused
        before = groups()
        yield
        assert groups() == before
        del kept_alive

    return check
