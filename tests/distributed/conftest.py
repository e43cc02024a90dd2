"""A warning that torch gives of itself, whoever uses it."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    # torch.distributed.optim is built with tools that torch has deprecated.
    config.addinivalue_line(
        "filterwarnings", r"ignore:`torch.jit.\w+` is deprecated:DeprecationWarning"
    )
