"""Hugging Face's Trainer, with ``optimizers=(optimizer, sync)``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau
from training_plan import (
    LR,
    STEPS,
    assert_on_plan,
    clip_gradients,
    expected_lr,
    held,
    lr_schedule,
    make_optimizer,
    other_schedules,
)
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

import torch_schedule_anything as tsa


class Watch(TrainerCallback):
    """Notes what the optimizer holds before each step, and clips as it says."""

    def __init__(self) -> None:
        self.values: dict[int, dict[str, list[float]]] = {}

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.values[state.global_step] = held(kwargs["optimizer"])

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        clip_gradients(kwargs["optimizer"])


def make_trainer(folder: Path, lr_member: Callable[[Any], Any] | None) -> tuple[Trainer, Watch]:
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=32,
            hidden_size=8,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=8,
        )
    )
    tokens = torch.randint(0, 32, (64, 6))
    optimizer = make_optimizer(model.model.parameters(), model.lm_head.parameters())
    members = other_schedules(optimizer)
    if lr_member is not None:
        members.append(lr_member(optimizer))
    sync = tsa.SynchronousSchedule(members)
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=STEPS,
        per_device_train_batch_size=8,
        max_grad_norm=0.0,  # the callback clips
        logging_steps=1,
        save_steps=8,
        report_to="none",
        use_cpu=True,
        dataloader_pin_memory=False,
        disable_tqdm=True,
    )
    watch = Watch()
    trainer = Trainer(
        model,
        arguments,
        train_dataset=[{"input_ids": row, "labels": row} for row in tokens],
        optimizers=(optimizer, sync),
        callbacks=[watch],
    )
    return trainer, watch


@pytest.mark.parametrize("lr_member", [lr_schedule, None])
def test_on_plan_and_resumes_to_the_same_weights(
    tmp_path: Path, lr_member: Callable[[Any], Any] | None
) -> None:
    """Values and logs follow the plan, and checkpoint-8 resumes to the uninterrupted weights."""
    trainer, watch = make_trainer(tmp_path / "whole", lr_member)
    trainer.train()

    assert list(watch.values) == list(range(STEPS))
    for t, values in watch.values.items():
        assert_on_plan(values, t, lr=None if lr_member else list(LR))
    logged = [entry["learning_rate"] for entry in trainer.state.log_history if "loss" in entry]
    # Each step is logged with the learning rate that it was made with.
    expected = [expected_lr(t)[0] if lr_member else LR[0] for t in range(STEPS)]
    assert logged == pytest.approx(expected, rel=1e-12)

    resumed, watch = make_trainer(tmp_path / "resumed", lr_member)
    resumed.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-8"))

    assert list(watch.values) == list(range(8, STEPS))
    for t, values in watch.values.items():
        assert_on_plan(values, t, lr=None if lr_member else list(LR))
    for weight, again in zip(trainer.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(weight, again)


def test_a_plateau_among_the_members_is_refused(tmp_path: Path) -> None:
    """The Trainer passes metrics to none but a bare ReduceLROnPlateau; the first step says so."""
    trainer, _ = make_trainer(tmp_path, ReduceLROnPlateau)
    with pytest.raises(TypeError, match="takes metrics"):
        trainer.train()
