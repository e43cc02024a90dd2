"""The pages and the verdicts of the studies say what their results say."""

from __future__ import annotations

import json
import math
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
STUDIES = ROOT / "studies"
NAMES = ("weight_decay", "batch_size", "one_run")


@pytest.fixture(autouse=True)
def modules_of_the_studies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(STUDIES))


def read(name: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((STUDIES / "results" / f"{name}.json").read_text("utf-8"))
    return result


@pytest.mark.parametrize("name", NAMES)
def test_the_verdict_follows_from_the_runs(name: str) -> None:
    """The claims and the verdict in the file are those that the script finds in its runs."""
    result, study = read(name), import_module(name)
    claims = study.claims(result["runs"])
    assert [vars(claim) for claim in claims] == result["claims"]
    assert result["holds"] == all(claim.holds for claim in claims if claim.decisive)
    assert result["criterion"] == study.CRITERION


@pytest.mark.parametrize("name", NAMES)
def test_all_runs_are_there(name: str) -> None:
    """The file has every arm, rate and seed of the full form, each with finite numbers."""
    result, study = read(name), import_module(name)
    jobs = study.jobs(study.FULL)
    assert [{key: run[key] for key in job} for job, run in zip(jobs, result["runs"])] == jobs
    assert len(jobs) == len(result["runs"])
    assert {run["seed"] for run in result["runs"]} == set(range(study.FULL.seeds))
    assert all(math.isfinite(run["loss"]) for run in result["runs"])


@pytest.mark.parametrize("page", [*NAMES, "../examples"])
def test_the_pages_show_the_results(page: str) -> None:
    """Every number and verdict of the pages is written by studies/pages.py from the results."""
    pages = import_module("pages")
    content = (ROOT / "docs" / "studies" / f"{page}.md").read_text("utf-8")
    texts = pages.sections(pages.read_results())[page]
    assert pages.renewed(content, texts, page) == content


@pytest.mark.parametrize("page", NAMES)
def test_the_blocks_of_the_pages_run(page: str) -> None:
    """The blocks of a page are one program that runs as it is."""
    content = (ROOT / "docs" / "studies" / f"{page}.md").read_text("utf-8")
    blocks = re.findall(r"(?ms)^```python\n(.*?)^```$", content)
    assert blocks
    exec("\n".join(blocks), {"__name__": page})


def test_claims_that_fail_are_found() -> None:
    """A study in which nothing separates says so."""
    weight_decay = import_module("weight_decay")
    runs = [
        {**job, "growth": 1.0 + job["seed"], "loss": 2.0}
        for job in weight_decay.jobs(weight_decay.FULL)
    ]
    assert not any(claim.holds for claim in weight_decay.claims(runs))


def test_the_best_rate_has_the_lowest_median() -> None:
    """One lucky seed does not choose the rate."""
    best_cell = import_module("measures").best_cell
    losses = {0.1: [3, 3, 0, 3, 3], 0.2: [2, 2, 2, 2, 9]}
    runs = [
        {"rate": rate, "seed": seed, "loss": loss}
        for rate, by_seed in losses.items()
        for seed, loss in enumerate(by_seed)
    ]
    assert {run["rate"] for run in best_cell(runs, by=("rate",))} == {0.2}


def test_a_draft_is_not_a_finished_job(tmp_path: Path) -> None:
    """A file appears whole, under the name of its job, and another seed has another name."""
    jobs = import_module("jobs")
    job = {"arm": "cosine", "seed": 0}
    path = jobs.path_of(tmp_path, job)
    jobs.save(path, {**job, "loss": 2.0})
    assert [*tmp_path.iterdir()] == [path]
    assert json.loads(path.read_text()) == {**job, "loss": 2.0}
    assert jobs.path_of(tmp_path, {**job, "seed": 1}) != path


def test_the_text_is_split_into_two_parts() -> None:
    """The text has 6 MB, and every tenth file is held out."""
    pytest.importorskip("torch")
    corpus_module = import_module("corpus")
    corpus = corpus_module.load_corpus()
    total = len(corpus.training) + len(corpus.held_out)
    assert total == corpus_module.NUM_BYTES
    assert 0.02 < len(corpus.held_out) / total < 0.3
    assert len(corpus.sha256) == 64
    assert corpus.training.max() < corpus_module.NUM_SYMBOLS


def test_modules_are_not_shadowed() -> None:
    """The modules of the studies are these files."""
    for path in STUDIES.glob("*.py"):
        if path.stem != "run":
            module = sys.modules.get(path.stem) or import_module(path.stem)
            assert module.__file__ is not None
            assert Path(module.__file__).resolve() == path.resolve()
