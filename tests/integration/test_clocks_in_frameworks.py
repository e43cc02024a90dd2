"""Schedules with a clock under Accelerate, Lightning and Hugging Face's Trainer.

The schedule is stepped more often than the optimizer, and still counts what its clock counts:
optimizer steps, or tokens.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
import training_plan as plan
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from accelerate_settings import reset_accelerate
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader, TensorDataset
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

import torch_schedule_anything as tsa

ValuesByStep = dict[int, dict[str, list[float]]]


@pytest.fixture(autouse=True)
def new_accelerate() -> Iterator[None]:
    reset_accelerate()
    yield
    reset_accelerate()


# -- Accelerate -----------------------------------------------------------------------------------

SAVED_AT = 7


class AccelerateRun:
    """A run that steps its schedule ``calls`` times in every batch, prepared or as it is."""

    def __init__(self, accumulation: int, is_prepared: bool, calls: int, on_wrapper: bool) -> None:
        reset_accelerate()
        self.accelerator = Accelerator(cpu=True, gradient_accumulation_steps=accumulation)
        model, optimizer = plan.make_model_and_optimizer()
        loader = DataLoader(torch.randn(2 * accumulation * plan.STEPS, 4), batch_size=2)
        sync = None if on_wrapper else with_clock(optimizer)
        self.model, self.optimizer, self.loader = self.accelerator.prepare(model, optimizer, loader)
        sync = sync or with_clock(self.optimizer)
        self.schedule = self.accelerator.prepare(sync) if is_prepared else sync
        if not is_prepared:
            self.accelerator.register_for_checkpointing(sync)
        self.accumulation, self.calls = accumulation, calls

    def train(self, folder: Path, start: int = 0) -> ValuesByStep:
        """Train, and return the values before each optimizer step.

        A run from step 0 saves at ``SAVED_AT``. A run from any other step loads that first.
        """
        accelerator, loader = self.accelerator, self.loader
        if start:
            accelerator.load_state(str(folder))
            loader = accelerator.skip_first_batches(loader, start * self.accumulation)
        values_by_step: ValuesByStep = {}
        t = start
        for batch in loader:
            if t == SAVED_AT and t not in values_by_step and not start:
                accelerator.save_state(str(folder))
            with accelerator.accumulate(self.model):
                values = plan.values_of(self.optimizer)
                # The values stay the same while gradients are accumulated for a step.
                assert values == values_by_step.setdefault(t, values)
                accelerator.backward(self.model(batch).square().mean())
                if accelerator.sync_gradients:
                    plan.clip_gradients(self.optimizer)
                    t += 1
                self.optimizer.step()
                for _ in range(self.calls):
                    self.schedule.step()
                self.optimizer.zero_grad()
        return values_by_step


def with_clock(optimizer: Any) -> tsa.SynchronousSchedule:
    return plan.make_schedule_with_clock(optimizer, tsa.OptimizerSteps(optimizer))


@pytest.mark.parametrize("on_wrapper", [False, True], ids=["on the optimizer", "on the wrapper"])
@pytest.mark.parametrize("calls", [1, 3])
@pytest.mark.parametrize("is_prepared", [False, True], ids=["not prepared", "prepared"])
@pytest.mark.parametrize("accumulation", [1, 3])
def test_a_schedule_that_is_stepped_in_every_batch_counts_the_steps_of_accelerate(
    accumulation: int, is_prepared: bool, calls: int, on_wrapper: bool, tmp_path: Path
) -> None:
    """Under Accelerate a plan counts optimizer steps, however often it is stepped, and resumes."""
    whole = AccelerateRun(accumulation, is_prepared, calls, on_wrapper)
    values_by_step = whole.train(tmp_path)
    plan.assert_run_on_plan(values_by_step)

    resumed = AccelerateRun(accumulation, is_prepared, calls, on_wrapper)
    assert resumed.train(tmp_path, start=SAVED_AT) == {
        t: values_by_step[t] for t in range(SAVED_AT, plan.STEPS)
    }
    plan.assert_same_weights(whole.model, resumed.model)


def test_a_step_that_accelerates_scaler_skips_is_not_counted() -> None:
    """A step that the scaler of Accelerate's wrapper skips does not move the plan."""
    Accelerator(cpu=True)
    model, inner = plan.make_model_and_optimizer()
    scaler = torch.amp.GradScaler("cpu", init_scale=16.0)
    optimizer = AcceleratedOptimizer(inner, scaler=scaler)
    schedule = with_clock(optimizer)
    steps_made = 0
    for i in range(8):
        overflows = i in (0, 3, 4)
        loss = model(torch.ones(2, 4)).square().mean() * (torch.inf if overflows else 1.0)
        scaler.scale(loss).backward()
        optimizer.step()
        optimizer.zero_grad()
        steps_made += not overflows
        schedule.step()
        plan.assert_on_plan(plan.values_of(inner), steps_made)
    assert steps_made == 5


# -- Lightning ------------------------------------------------------------------------------------

BATCHES_PER_EPOCH = 5
ACCUMULATED = 2
STEPS_PER_EPOCH = 3  # Lightning steps after the last batch of an epoch too
EPOCHS_BEFORE_CHECKPOINT = 2

Clock = Callable[[lightning.Trainer, Any], Callable[[], float]]


def global_step(trainer: lightning.Trainer, optimizer: Any) -> Callable[[], float]:
    return lambda: trainer.global_step


def optimizer_steps(trainer: lightning.Trainer, optimizer: Any) -> Callable[[], float]:
    return tsa.OptimizerSteps(optimizer)


class Module(lightning.LightningModule):
    """Two layers, which record the values of each step; Lightning steps the schedule."""

    def __init__(self, make_clock: Clock) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.ModuleList([torch.nn.Linear(4, 8), torch.nn.Linear(8, 1)])
        self.make_clock = make_clock
        self.values_by_step: ValuesByStep = {}

    def configure_optimizers(self) -> Any:
        optimizer = plan.make_optimizer(*(layer.parameters() for layer in self.layers))
        clock = self.make_clock(self.trainer, optimizer)
        self.schedule = plan.make_schedule_with_clock(optimizer, clock)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": self.schedule, "interval": "step"},
        }

    def training_step(self, batch: list[torch.Tensor], i: int) -> torch.Tensor:
        values = plan.values_of(self.optimizers())
        assert values == self.values_by_step.setdefault(self.global_step, values)
        inputs, targets = batch
        return (self.layers[1](self.layers[0](inputs).tanh()) - targets).square().mean()

    def configure_gradient_clipping(self, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        plan.clip_gradients(optimizer)


class ModuleThatStepsInEveryBatch(Module):
    """The same, and its own hook steps the schedule after every batch, besides Lightning."""

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        self.schedule.step()


class ModuleThatStepsAlone(ModuleThatStepsInEveryBatch):
    """The same, and Lightning does not know the schedule: the module saves it."""

    def configure_optimizers(self) -> Any:
        return super().configure_optimizers()["optimizer"]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["schedule"] = self.schedule.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.saved = checkpoint["schedule"]

    def on_train_start(self) -> None:
        if hasattr(self, "saved"):
            self.schedule.load_state_dict(self.saved)


def fit(module: Module, folder: Path, checkpoint: Path | None = None) -> Module:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(4 * BATCHES_PER_EPOCH, 4, generator=generator)
    data = TensorDataset(inputs, inputs.sum(1, keepdim=True))
    trainer = lightning.Trainer(
        max_epochs=plan.STEPS // STEPS_PER_EPOCH,
        accumulate_grad_batches=ACCUMULATED,
        accelerator="cpu",
        logger=False,
        callbacks=[ModelCheckpoint(folder, filename="{epoch}", save_top_k=-1)],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(data, batch_size=4), ckpt_path=checkpoint)
    return module


@pytest.mark.parametrize("make_clock", [global_step, optimizer_steps])
@pytest.mark.parametrize("kind", [Module, ModuleThatStepsInEveryBatch, ModuleThatStepsAlone])
def test_a_plan_counts_the_steps_of_lightning(kind: Any, make_clock: Clock, tmp_path: Path) -> None:
    """With accumulated batches a plan counts Lightning's optimizer steps, and resumes."""
    whole = fit(kind(make_clock), tmp_path / "whole")
    plan.assert_run_on_plan(whole.values_by_step)

    checkpoint = tmp_path / "whole" / f"epoch={EPOCHS_BEFORE_CHECKPOINT - 1}.ckpt"
    resumed = fit(kind(make_clock), tmp_path / "resumed", checkpoint)
    assert resumed.values_by_step == {
        t: whole.values_by_step[t]
        for t in range(EPOCHS_BEFORE_CHECKPOINT * STEPS_PER_EPOCH, plan.STEPS)
    }
    plan.assert_same_weights(whole, resumed)


# -- Hugging Face's Trainer -----------------------------------------------------------------------

TRAINER_SAVES_AT = 8


class Recorder(TrainerCallback):
    """A callback that records the values before each step, and clips by them.

    It steps the schedule in every batch, besides the Trainer.
    """

    def __init__(self) -> None:
        self.values_by_step: ValuesByStep = {}
        self.tokens_by_step: dict[int, int] = {}

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.values_by_step[state.global_step] = plan.values_of(kwargs["optimizer"])
        self.tokens_by_step[state.global_step] = state.num_input_tokens_seen

    def on_substep_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        kwargs["lr_scheduler"].step()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        kwargs["lr_scheduler"].step()

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        plan.clip_gradients(kwargs["optimizer"])


def make_trainer(
    folder: Path, make_schedule: Callable[[Any, Callable[[], Trainer]], Any], **arguments: Any
) -> tuple[Trainer, Recorder]:
    """A Trainer of two batches per step; ``make_schedule`` gets a function that returns it."""
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
    optimizer = plan.make_optimizer(model.model.parameters(), model.lm_head.parameters())
    recorder = Recorder()
    trainer = Trainer(
        model,
        TrainingArguments(
            output_dir=str(folder),
            max_steps=plan.STEPS,
            per_device_train_batch_size=1,
            gradient_accumulation_steps=2,
            max_grad_norm=0.0,  # the callback clips instead
            save_steps=TRAINER_SAVES_AT,
            report_to="none",
            use_cpu=True,
            dataloader_pin_memory=False,
            disable_tqdm=True,
            **arguments,
        ),
        train_dataset=[{"input_ids": row, "labels": row} for row in ROWS],
        optimizers=(optimizer, make_schedule(optimizer, lambda: trainer)),
        callbacks=[recorder],
    )
    return trainer, recorder


LENGTHS = [3, 4, 5, 6, 7, 8] * 4  # tokens in each row; a run sees every row twice
ROWS = [torch.arange(length) + i for i, length in enumerate(LENGTHS)]
TOKENS = 2 * sum(LENGTHS)
WARMUP_TOKENS = 50


def test_a_plan_counts_the_steps_of_the_trainer(tmp_path: Path) -> None:
    """With accumulated batches a plan counts the Trainer's optimizer steps, and resumes."""

    def make_schedule(optimizer: Any, get_trainer: Any) -> Any:
        return with_clock(optimizer)

    trainer, whole = make_trainer(tmp_path / "whole", make_schedule)
    trainer.train()
    plan.assert_run_on_plan(whole.values_by_step)

    resumed_trainer, resumed = make_trainer(tmp_path / "resumed", make_schedule)
    checkpoint = tmp_path / "whole" / f"checkpoint-{TRAINER_SAVES_AT}"
    resumed_trainer.train(resume_from_checkpoint=str(checkpoint))
    assert resumed.values_by_step == {
        t: whole.values_by_step[t] for t in range(TRAINER_SAVES_AT, plan.STEPS)
    }
    plan.assert_same_weights(trainer.model, resumed_trainer.model)


# -- a plan in tokens -----------------------------------------------------------------------------


def in_tokens(optimizer: Any, clock: Callable[[], float]) -> tsa.SynchronousSchedule:
    return tsa.SynchronousSchedule(
        [
            tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.25, WARMUP_TOKENS, TOKENS),
            tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.0, 0, TOKENS, "weight_decay"),
        ],
        clock=clock,
    )


def assert_on_plan_in_tokens(values: dict[str, list[float]], tokens: int) -> None:
    p = (tokens - WARMUP_TOKENS) / (TOKENS - WARMUP_TOKENS)
    factor = tokens / WARMUP_TOKENS if tokens <= WARMUP_TOKENS else 1 - 0.75 * p
    assert values["lr"] == pytest.approx([lr * factor for lr in plan.LR], rel=1e-12)
    assert values["weight_decay"] == pytest.approx(
        [decay * (1 - tokens / TOKENS) for decay in plan.WEIGHT_DECAY], rel=1e-12
    )


def test_a_plan_in_tokens_counts_the_tokens_of_the_trainer(tmp_path: Path) -> None:
    """A plan in tokens goes by the tokens that the Trainer has seen, and resumes."""

    def make_schedule(optimizer: Any, get_trainer: Any) -> Any:
        return in_tokens(optimizer, lambda: get_trainer().state.num_input_tokens_seen)

    trainer, whole = make_trainer(
        tmp_path / "whole", make_schedule, include_num_input_tokens_seen="all"
    )
    trainer.train()
    assert whole.tokens_by_step[0] == 0
    assert trainer.state.num_input_tokens_seen == TOKENS
    counts = [*whole.tokens_by_step.values(), TOKENS]
    assert len({after - before for before, after in itertools.pairwise(counts)}) > 1
    for t, values in whole.values_by_step.items():
        assert_on_plan_in_tokens(values, whole.tokens_by_step[t])
    assert_on_plan_in_tokens(plan.values_of(trainer.optimizer), TOKENS)

    resumed_trainer, resumed = make_trainer(
        tmp_path / "resumed", make_schedule, include_num_input_tokens_seen="all"
    )
    checkpoint = tmp_path / "whole" / f"checkpoint-{TRAINER_SAVES_AT}"
    resumed_trainer.train(resume_from_checkpoint=str(checkpoint))
    later = range(TRAINER_SAVES_AT, plan.STEPS)
    assert resumed.tokens_by_step == {t: whole.tokens_by_step[t] for t in later}
    assert resumed.values_by_step == {t: whole.values_by_step[t] for t in later}
    plan.assert_same_weights(trainer.model, resumed_trainer.model)


class TokenCounter:
    """A clock of a user's, which Accelerate saves."""

    def __init__(self) -> None:
        self.tokens = 0

    def __call__(self) -> int:
        return self.tokens

    def state_dict(self) -> dict[str, int]:
        return {"tokens": self.tokens}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.tokens = state["tokens"]


def test_a_plan_in_tokens_counts_the_tokens_of_a_loop(tmp_path: Path) -> None:
    """A plan in tokens follows batches of any length under Accelerate, and resumes."""

    def train(start: int = 0) -> tuple[Any, dict[int, Any]]:
        """Train on batches of 3 to 8 tokens, three per step, and record the values per step."""
        reset_accelerate()
        accelerator = Accelerator(cpu=True, gradient_accumulation_steps=3)
        model, optimizer = plan.make_model_and_optimizer()
        clock = TokenCounter()
        accelerator.register_for_checkpointing(clock)
        model, optimizer, schedule = accelerator.prepare(
            model, optimizer, in_tokens(optimizer, clock)
        )
        if start:
            accelerator.load_state(str(tmp_path))
        values_by_batch: dict[int, Any] = {}
        seen = sum((LENGTHS * 2)[:start])  # at the optimizer's last step
        for i in range(start, len(LENGTHS) * 2):
            if i == 3 * SAVED_AT and not start:
                accelerator.save_state(str(tmp_path))
            with accelerator.accumulate(model):
                values_by_batch[i] = plan.values_of(optimizer)
                assert_on_plan_in_tokens(values_by_batch[i], seen)
                batch = torch.ones((LENGTHS * 2)[i], 4)
                clock.tokens += len(batch)
                accelerator.backward(model(batch).square().mean())
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
                if accelerator.sync_gradients:
                    seen = clock.tokens
        assert clock.tokens == TOKENS
        assert_on_plan_in_tokens(plan.values_of(optimizer), TOKENS)
        return model, values_by_batch

    model, values_by_batch = train()
    resumed, later_values = train(start=3 * SAVED_AT)
    assert later_values == {i: values_by_batch[i] for i in later_values}
    assert min(later_values) == 3 * SAVED_AT
    plan.assert_same_weights(model, resumed)
