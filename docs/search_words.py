"""Sphinx extension: the page, or the section of a page, that a word in the search field means.

Sphinx puts an entry of the index that equals the query before everything else that it finds. So
a reader who types a word of the field, and not of these pages, gets the page that answers.
"""

from __future__ import annotations

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

# By page and the id of its section, the words that a reader types, in lower case.
WORDS = {
    "builtin_schedules": "warmup, warm up, built-in, built-ins, builtin, linear warmup, annealing",
    "builtin_schedules#the-two-warmups-and-skip-zero": (
        "warmup from 1/n, 1/n, skip_zero, warmup from 0"
    ),
    "builtin_schedules#formulas": "noam, attention is all you need, inverse sqrt, formula",
    "changes": "1.2.3, version 1, upgrade, migrate",
    "changes#changelog": "changelog, release notes",
    "checkpoints": "checkpoint, resume, resuming, save, load, restore, state_dict",
    "checkpoints#several-processes": "distributed, ddp, fsdp, zero, multi-gpu",
    "curves": "curve, custom schedule, lambda, lambdalr",
    "curves#join": "sequentiallr, chain",
    "curves#if-you-know-this-write-that": "optax, get_cosine_schedule_with_warmup",
    "examples": "example, examples, demo, mnist",
    "examples#three-studies": "study, studies, experiments",
    "framework_authors": "framework, library author",
    "frameworks": "frameworks, integration, callback",
    "frameworks#replan-and-resume": (
        "resume_from_checkpoint, resume trainer, resume lightning, plan=saved, initial=code"
    ),
    "frameworks#replan-in-a-callback": "replan trainer, trainer callback",
    "frameworks#replan-in-a-hook": "replan lightning",
    "frameworks#hugging-face-trainer": "trainer, huggingface, hugging face, transformers",
    "frameworks#lightning": "lightning, pytorch lightning, configure_optimizers",
    "frameworks#accelerate": "accelerate",
    "frameworks#ignite": "ignite",
    "frameworks#torch-amp-gradscaler": (
        "overflow, amp, gradscaler, mixed precision, skipped step, fused, found_inf, fp16, float16"
    ),
    "frameworks#timm": "timm",
    "gallery": "picture, plot, shapes, which shape",
    "gallery#two-shapes-are-called-cosine": "cosine, quarter cosine, half cosine",
    "glossary": "glossary, terminology",
    "howto/absolute_values": "absolute, absolute values, values instead of multiples",
    "howto/absolute_values#biases-and-norms-without-weight-decay": (
        "biases, layernorm, no_decay, no decay, no weight decay, exclude bias"
    ),
    "howto/clipping_and_batch_size": "clip, clipping, gradient clipping, clip_grad_norm_, max_norm",
    "howto/clipping_and_batch_size#clip-each-group-by-its-own-threshold": (
        "clip per group, per-group clipping, global norm"
    ),
    "howto/clipping_and_batch_size#batch-size": "batch size, batch_size",
    "howto/epochs_samples_tokens": "epoch, epochs, steps per epoch",
    "howto/epochs_samples_tokens#samples": "samples",
    "howto/epochs_samples_tokens#tokens": "tokens",
    "howto/epochs_samples_tokens#tokens-for-one-target-seconds-for-another": "seconds",
    "howto/epochs_samples_tokens#gradient-accumulation": (
        "gradient accumulation, accumulation, micro-batch, micro batch, grad accum"
    ),
    "howto/extend_a_run": "extend, longer run, continue, continue training",
    "howto/extend_a_run#cool-down-from-mid-cosine": "mid-cosine, change plan mid-run",
    "howto/extend_a_run#rewarm": "rewarm, re-warm, rewarming",
    "howto/extend_a_run#fine-tune-with-new-rates": (
        "fine-tune, finetune, fine tuning, new learning rate, base_lrs"
    ),
    "howto/log_values": "log, logging, logger, csv",
    "howto/log_values#tensorboard": "tensorboard",
    "howto/log_values#weights-biases-wandb": "wandb, weights & biases",
    "howto/move_over": "move over, by hand, adjust_learning_rate",
    "howto/outside_the_optimizer": "temperature, noise, ent_coef, attributes",
    "howto/outside_the_optimizer#dropout": "dropout",
    "howto/outside_the_optimizer#ema-decay": "ema, moving average, ema decay, averagedmodel",
    "howto/outside_the_optimizer#loss-weight": "loss weight, kl weight, vae, beta-vae",
    "howto/param_groups": (
        "layer decay, layer-wise, layerwise, llrd, discriminative, param groups, parameter groups"
    ),
    "howto/param_groups#freeze-and-thaw": "freeze, unfreeze, thaw, frozen, backbone",
    "howto/several_optimizers": "gan, two optimizers, several optimizers, multiple optimizers",
    "howto/several_optimizers#muon-beside-adamw": "muon",
    "howto/warmup_stable_decay": (
        "wsd, 1-sqrt, 1 - sqrt, cooldown, cool down, cool-down, trapezoid, plateau"
    ),
    "howto/warmup_stable_decay#warm-restarts": "restart, restarts, warm restarts, sgdr, cycle",
    "howto/weight_decay_and_momentum": "weight decay, weight_decay, adamw",
    "howto/weight_decay_and_momentum#momentum": "momentum, momentum warmup",
    "howto/weight_decay_and_momentum#momentum-that-rises-as-the-learning-rate-falls": (
        "cycle momentum, cycle_momentum, cyclic momentum, inverse momentum, base_momentum, cycliclr"
    ),
    "howto/weight_decay_and_momentum#beta1-and-beta2": "beta1, beta2, betas, adam betas",
    "mistakes": "mistake, error, warning, not working, wrong value, debug",
    "mistakes#a-name-that-is-not-there": "typo, misspelt, keyerror",
    "plans": "yaml, json, toml, config, config file",
    "plans#check-a-file-from-the-command-line": "command line, cli, pre-commit, check a plan, ci",
    "plans#hydra": "hydra, omegaconf",
    "plans#in-an-editor-such-as-vs-code": "vscode, vs code, json schema, editor, completion",
    "plans#lightningcli": "lightningcli",
    "quickstart#the-learning-rate": "lr, learning rate, learning-rate, lr schedule",
    "quickstart": "quickstart, quick start, tutorial, install, getting started",
    "recipes": "recipe, recipes, paper, public code",
    "recipes#nanogpt": "nanogpt, gpt-2, gpt2",
    "recipes#nanochat": "nanochat",
    "recipes#modded-nanogpt": "modded-nanogpt, speedrun",
    "recipes#torchtitan": "torchtitan, llama",
    "recipes#olmo-core": "olmo, olmo-core",
    "recipes#megatron-lm": "megatron, megatron-lm",
    "recipes#deepspeed": "deepspeed, warmuplr",
    "recipes#dinov2": "dino, dinov2",
    "recipes#mae": "mae, masked autoencoder",
    "recipes#ultralytics": "yolo, ultralytics",
    "recipes#detectron2": "detectron2, multisteplr",
    "recipes#ppo": "ppo, reinforcement learning, clip range, sac",
    "recipes#wall-clock-budget": "wall clock, wall-clock, time budget, minutes",
    "speed": "speed, performance, overhead, benchmark, cost",
    "speed#compiled-steps": "compile, torch.compile, cuda graph, capturable",
    "user_guide": "guide, schedule, scheduler, lr_scheduler",
    "user_guide#a-clock": "clock",
    "user_guide#replan-another-plan-in-the-middle-of-a-run": "replan, change plan",
    "user_guide#before-the-run": "preview, look ahead",
    "user_guide#count-optimizer-steps": "optimizersteps",
    "user_guide#initial-values": "initial value, notebook",
    "user_guide#targets": "target, schedule_target, tensor",
    "user_guide#range": "range, negative, nan",
    "user_guide#the-order-of-steps": "order, step order, optimizer.step",
    "user_guide#a-value-that-follows-another": "derived, follow",
    "user_guide#any-torch-scheduler-on-any-entry": "torch scheduler, one cycle, onecyclelr, proxy",
    "user_guide#groups-that-join-later": "add_param_group",
    "user_guide#metrics": "reducelronplateau, metric, metrics",
    "user_guide#two-threads": "threads, thread safety",
}


def note_words(app: Sphinx, doctree: nodes.document) -> None:
    """Add the words of a page to the index, where it has them."""
    page = app.env.docname
    ours = {word for words in WORDS.values() for word in words.split(", ")}
    for index in doctree.findall(addnodes.index):
        # The glossary explains words, and is not where a reader finds out what to do.
        index["entries"] = [
            (kind, text, place, "" if text.lower() in ours else main, key)
            for kind, text, place, main, key in index["entries"]
        ]
    for where, words in WORDS.items():
        name, _, place = where.partition("#")
        if name == page:
            entries = [("single", word, place, "main", None) for word in words.split(", ")]
            doctree[0].insert(1, addnodes.index(entries=entries))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", note_words)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
