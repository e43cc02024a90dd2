"""The pages and the verdicts of the studies say what their results say."""

from __future__ import annotations

import json
import math
from importlib import import_module
from pathlib import Path

import pytest

STUDIES = Path(__file__).resolve().parents[2] / "studies"
PAGES = STUDIES.parent / "docs" / "studies"


@pytest.fixture(autouse=True)
def modules_of_the_studies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(STUDIES))


@pytest.mark.parametrize("name", ["weight_decay", "batch_size", "one_run"])
def test_the_verdict_follows_from_all_runs(name: str) -> None:
    """The file has every run of the full form, and the claims that the script finds in them."""
    result = json.loads((STUDIES / "results" / f"{name}.json").read_text("utf-8"))
    study, runs = import_module(name), result["runs"]
    jobs = study.jobs(study.FULL)
    assert [{key: run[key] for key in job} for job, run in zip(jobs, runs, strict=True)] == jobs
    assert {run["seed"] for run in runs} == set(range(study.FULL.seeds))
    assert all(math.isfinite(run["loss"]) for run in runs)

    claims = study.claims(runs)
    assert [vars(claim) for claim in claims] == result["claims"]
    assert result["holds"] == all(claim.holds for claim in claims if claim.decisive)
    assert result["criterion"] == study.CRITERION


def test_the_pages_show_the_results() -> None:
    """Every number and verdict of the pages is written by studies/pages.py from the results."""
    pages = import_module("pages")
    sections = pages.sections(pages.read_results())
    assert {"weight_decay", "batch_size", "one_run", "../examples"} <= sections.keys()
    for page, texts in sections.items():
        content = (PAGES / f"{page}.md").read_text("utf-8")
        assert pages.renewed(content, texts, page) == content


def test_claims_that_fail_are_found() -> None:
    """A study in which nothing separates says so, and one lucky seed does not choose the rate."""
    study, best_cell = import_module("weight_decay"), import_module("measures").best_cell
    runs = [{**job, "growth": 1.0 + job["seed"], "loss": 2.0} for job in study.jobs(study.FULL)]
    assert not any(claim.holds for claim in study.claims(runs))

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
    module = import_module("corpus")
    corpus = module.load_corpus()
    total = len(corpus.training) + len(corpus.held_out)
    assert total == module.NUM_BYTES
    assert 0.02 < len(corpus.held_out) / total < 0.3
    assert len(corpus.sha256) == 64
    assert corpus.training.max() < module.NUM_SYMBOLS


def test_modules_are_not_shadowed() -> None:
    """The modules of the studies are these files."""
    for path in STUDIES.glob("*.py"):
        if path.stem != "run":
            file = import_module(path.stem).__file__
            assert file is not None
            assert Path(file).resolve() == path.resolve()
