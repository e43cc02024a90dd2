"""The built site: its links, its search index and what each page says of itself.

``nox -s docs`` builds the site and runs these tests. The variable SITE names its folder.
"""

from __future__ import annotations

import json
import os
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

SITE = Path(os.environ.get("SITE", "docs/_build/html")).resolve()
PAGES = sorted(SITE.rglob("*.html"))
MADE = {"genindex", "search", "py-modindex"}  # Sphinx makes them, and they have no text of ours


class Page(HTMLParser):
    """The tags of a page, each with its attributes."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.ids = {found["id"] for _, found in self.tags if "id" in found}

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attributes}))


read = cache(Page)


def name_of(path: Path) -> str:
    return path.relative_to(SITE).with_suffix("").as_posix()


WRITTEN = [page for page in PAGES if name_of(page) not in MADE and "_modules" not in page.parts]


def test_the_site_is_built_and_has_few_pages() -> None:
    """A reader can know the site, and without it, the other tests would have nothing to check."""
    assert len(PAGES) > 20, f"no site in {SITE}: run nox -s docs"
    assert len(WRITTEN) <= 40


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_link_within_the_site_leads_somewhere(path: Path) -> None:
    """The file of each link exists, and so does the place in it."""
    broken = []
    for tag, found in read(path).tags:
        link = found.get("href", found.get("src", ""))
        parts = urlsplit(link)
        if tag == "use" or parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if target.is_dir():
            target = target / "index.html"
        place = unquote(parts.fragment) if target.suffix == ".html" else ""
        if not target.is_file() or (place and place not in read(target).ids):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("path", WRITTEN, ids=name_of)
def test_every_page_describes_itself_and_has_both_themes(path: Path) -> None:
    """A page has one description, an icon, and a text and a form in each theme for a picture."""
    tags = read(path).tags
    (description,) = (found for _, found in tags if found.get("name") == "description")
    assert len(description["content"]) > 30
    assert any("icon" in found.get("rel", "") for _, found in tags)
    images = [found for tag, found in tags if tag == "img"]
    assert all(image.get("alt") for image in images)
    themes = [{"only-light", "only-dark"} & {*image.get("class", "").split()} for image in images]
    assert all(len(theme) == 1 for theme in themes)
    assert themes.count({"only-light"}) == themes.count({"only-dark"})
    # A heading or a name in code may break, but not after a parenthesis that opens.
    assert "(<wbr>" not in path.read_text(encoding="utf-8")


# Where the first result of the search leads, if a reader types one of these.
ANSWERS = {
    "api/schedules#torch_schedule_anything.CurveSchedule": ["CurveSchedule"],
    "builtin_schedules": ["warmup"],
    "builtin_schedules#the-two-warmups-and-skip-zero": ["skip_zero", "warmup from 1/N"],
    "changes": ["upgrade"],
    "checkpoints": ["resume"],
    "checkpoints#several-processes": ["FSDP"],
    "frameworks#hugging-face-trainer": ["huggingface", "Trainer"],
    "frameworks#lightning": ["Lightning"],
    "frameworks#replan-and-resume": ["resume_from_checkpoint"],
    "frameworks#replan-in-a-callback": ["replan Trainer"],
    "frameworks#replan-in-a-hook": ["replan Lightning"],
    "frameworks#torch-amp-gradscaler": ["amp", "fused", "overflow"],
    "gallery#two-shapes-are-called-cosine": ["cosine"],
    "glossary": ["glossary"],
    "howto/absolute_values#biases-and-norms-without-weight-decay": ["no weight decay"],
    "howto/clipping_and_batch_size": ["clipping"],
    "howto/clipping_and_batch_size#batch-size": ["batch size"],
    "howto/clipping_and_batch_size#clip-each-group-by-its-own-threshold": [
        "clip per group",
        "global norm",
    ],
    "howto/epochs_samples_tokens#gradient-accumulation": ["gradient accumulation"],
    "howto/epochs_samples_tokens#tokens": ["tokens"],
    "howto/epochs_samples_tokens#tokens-for-one-target-seconds-for-another": ["seconds"],
    "howto/extend_a_run#cool-down-from-mid-cosine": ["mid-cosine"],
    "howto/extend_a_run#fine-tune-with-new-rates": ["finetune"],
    "howto/extend_a_run#rewarm": ["rewarm"],
    "howto/log_values#tensorboard": ["TensorBoard"],
    "howto/log_values#weights-biases-wandb": ["wandb"],
    "howto/outside_the_optimizer": ["temperature"],
    "howto/outside_the_optimizer#dropout": ["dropout"],
    "howto/outside_the_optimizer#ema-decay": ["EMA"],
    "howto/outside_the_optimizer#loss-weight": ["loss weight"],
    "howto/param_groups": ["layer decay"],
    "howto/param_groups#freeze-and-thaw": ["freeze", "unfreeze"],
    "howto/several_optimizers": ["GAN"],
    "howto/several_optimizers#muon-beside-adamw": ["Muon"],
    "howto/warmup_stable_decay": ["1-sqrt", "cool down", "cooldown", "wsd"],
    "howto/warmup_stable_decay#warm-restarts": ["warm restarts"],
    "howto/weight_decay_and_momentum": ["weight decay"],
    "howto/weight_decay_and_momentum#beta1-and-beta2": ["beta2"],
    "howto/weight_decay_and_momentum#momentum": ["momentum"],
    "howto/weight_decay_and_momentum#momentum-that-rises-as-the-learning-rate-falls": [
        "cycle_momentum"
    ],
    "mistakes#a-name-that-is-not-there": ["typo"],
    "plans": ["YAML"],
    "plans#hydra": ["Hydra"],
    "plans#in-an-editor-such-as-vs-code": ["vscode"],
    "quickstart": ["install"],
    "quickstart#the-learning-rate": ["learning rate"],
    "recipes#dinov2": ["DINOv2"],
    "recipes#nanogpt": ["nanoGPT"],
    "recipes#wall-clock-budget": ["wall clock"],
    "speed#compiled-steps": ["compile"],
    "user_guide#any-torch-scheduler-on-any-entry": ["OneCycleLR"],
    "user_guide#groups-that-join-later": ["add_param_group"],
    "user_guide#metrics": ["ReduceLROnPlateau"],
    "user_guide#replan-another-plan-in-the-middle-of-a-run": ["replan"],
}


@cache
def index() -> dict:
    text = (SITE / "searchindex.js").read_text(encoding="utf-8")
    return json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))


def place_of(document: int, place: str) -> str:
    return index()["docnames"][document] + (f"#{place}" if place else "")


def found(query: str) -> list[str]:
    """Where the first result of the search leads: one place, if nothing else is as good.

    As in searchtools.js, a main entry of the index that equals the query comes before everything
    else. An object of this name is next, if no main entry has the query in it.
    """
    entries = {
        entry: [place_of(document, place) for document, place, is_main in places if is_main]
        for entry, places in index()["indexentries"].items()
        if query.lower() in entry
    }
    if any(entries.values()):
        return entries[query.lower()]
    return [
        place_of(document, f"{prefix}.{name}")
        for prefix, objects in index()["objects"].items()
        for document, *_, name in objects
        if name == query
    ]


@pytest.mark.parametrize(("answer", "queries"), ANSWERS.items(), ids=ANSWERS)
def test_the_search_finds_first_what_is_meant(answer: str, queries: list[str]) -> None:
    """The first result is the page, or the section of a page, that answers."""
    assert {query: found(query) for query in queries} == {query: [answer] for query in queries}


def test_every_word_of_the_index_leads_somewhere() -> None:
    """The place that an entry of the index names is on its page."""
    missing = [
        (entry, place_of(document, place))
        for entry, places in index()["indexentries"].items()
        for document, place, _ in places
        if place and place not in read(SITE / f"{place_of(document, '')}.html").ids
    ]
    assert not missing
