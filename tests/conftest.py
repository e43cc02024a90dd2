"""The ``untouched`` fixture shows that a call left the param groups as they were."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import torch
from hypothesis import settings

# The time of an example depends on the machine, so no deadline is set.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def fingerprint(value: Any) -> Any:
    """Two fingerprints are equal if type, exact content and, for containers, identity are equal."""
    if isinstance(value, torch.Tensor):
        return id(value), value.dtype, repr(value.tolist())
    if isinstance(value, (list, tuple)):
        return id(value), [fingerprint(element) for element in value]
    return type(value), repr(value)


@pytest.fixture
def untouched() -> Callable[[Any], AbstractContextManager[None]]:
    """The context manager fails if an optimizer's param groups differ at its end."""

    @contextmanager
    def check(optimizer: Any) -> Iterator[None]:
        def fingerprints() -> list[Any]:
            return [
                (id(group), [(key, fingerprint(value)) for key, value in group.items()])
                for group in optimizer.param_groups
            ]

        # A reference to each value keeps it alive, so its id is not given to a new object.
        kept_alive = [dict(group) for group in optimizer.param_groups]
        before = fingerprints()
        yield
        assert fingerprints() == before
        del kept_alive

    return check
