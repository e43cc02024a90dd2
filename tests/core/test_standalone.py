"""``tsa_core`` works where torch and nothing else is installed."""

from __future__ import annotations

import subprocess
import sys

# torch 2.0 warns of the missing NumPy late, at its first use, so the guard below does not catch it.
WARNINGS = ("-W", "error", "-W", "ignore:Failed to initialize NumPy")

# A module that is None in sys.modules can be neither imported nor found by ``find_spec``. With
# ``find_spec`` torch looks for NumPy, and it works without NumPy, with a warning.
WITHOUT_THE_OTHERS = """
import sys, warnings

for name in ("numpy", "tsa_builtins", "torch_schedule_anything"):
    sys.modules[name] = None
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import torch
for name in ("numpy", "tsa_builtins", "torch_schedule_anything"):
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        print(error)
"""

PROGRAM = """
from torch.optim.lr_scheduler import ExponentialLR
import tsa_core

model = torch.nn.Linear(2, 1)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.5, weight_decay=0.25)
halved = lambda proxy: ExponentialLR(proxy, 0.5)
sync = tsa_core.SynchronousSchedule([
    tsa_core.CurveSchedule(optimizer, lambda t: 0.5**t),
    tsa_core.CurveSchedule(optimizer, lambda t: torch.tensor(1 - t / 4), "betas[0]"),
    tsa_core.arbitrary_schedule_factory(optimizer, halved, schedule_target="weight_decay"),
    tsa_core.arbitrary_schedule_factory(optimizer, halved, 8.0, "clip"),
])
for _ in range(2):
    model(torch.ones(3, 2)).sum().backward()
    optimizer.step()
    sync.step()
sync.load_state_dict(sync.state_dict())
print(sync.get_last_schedules())
"""

WITH_THE_OTHERS = """
import warnings, sys
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import torch
before = set(sys.modules)
import tsa_core
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(new - set(sys.stdlib_module_names)))
"""


def lines_of(program: str) -> list[str]:
    """What the program prints, in a process of its own."""
    command = [sys.executable, *WARNINGS, "-c", program]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def test_schedules_need_torch_alone() -> None:
    """A whole run gives the right values without NumPy and the other distributions."""
    assert lines_of(WITHOUT_THE_OTHERS + PROGRAM) == [
        "import of numpy halted; None in sys.modules",
        "import of tsa_builtins halted; None in sys.modules",
        "import of torch_schedule_anything halted; None in sys.modules",
        str({"lr": [0.125], "betas[0]": [0.9 * 0.5], "weight_decay": [0.0625], "clip": [2.0]}),
    ]


def test_importing_tsa_core_imports_no_other_distribution() -> None:
    """The import of ``tsa_core`` loads no other distribution, even if others are installed."""
    assert lines_of(WITH_THE_OTHERS) in (["['tsa_core']"], ["['torch', 'tsa_core']"])
