"""Make the checkpoints beside this file, with the real torch-schedule-anything 1.2.3.

In an environment of its own: ``pip install torch torch-schedule-anything==1.2.3``, then
``python make.py``. A file holds what a user saved at a step in mid-run, and under ``"following"``
the values that the 1.2.3 run went on to have, by target: a row a step, a number a param group.
"""

from __future__ import annotations

import copy
from importlib.metadata import version
from pathlib import Path

import torch
from runs import RUNS, SAVED_AT, STEPS, make_model, make_optimizer

import torch_schedule_anything as tsa

assert version("torch-schedule-anything") == "1.2.3"

for name, schedules in RUNS.items():
    model = make_model()
    optimizer = make_optimizer(model)
    sync = tsa.SynchronousSchedule(schedules(tsa, optimizer))
    for t in range(STEPS):
        if t == SAVED_AT:
            checkpoint = {"optimizer": optimizer.state_dict(), "schedule": sync.state_dict()}
            saved = copy.deepcopy(checkpoint)
            saved["following"] = {target: [] for target in sync.schedule_names}
        model(torch.ones(4, 2)).sum().backward()
        optimizer.step()
        sync.step()
        if t >= SAVED_AT:
            for target, rows in saved["following"].items():
                rows.append(list(sync.get_last_schedule(target)))
    torch.save(saved, Path(__file__).with_name(f"{name}.pt"))
