"""Warning filter for the tests in several processes."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    # Importing torch.distributed.optim in torch 2.13 runs torch.jit.script, which torch deprecated.
    config.addinivalue_line(
        "filterwarnings", r"ignore:`torch.jit.\w+` is deprecated:DeprecationWarning"
    )
