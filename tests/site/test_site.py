"""The built site: its links, its search index and what each page says of itself.

``nox -s docs`` builds the site and runs these tests. The variable SITE names its folder.
"""

from __future__ import annotations

import json
import os
import runpy
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

SITE = Path(os.environ.get("SITE", "docs/_build/html")).resolve()
PAGES = sorted(SITE.rglob("*.html"))
WORDS = runpy.run_path("docs/search_words.py")["WORDS"]
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
    "builtin_schedules": "warmup, skip_zero, warmup from 1/N",
    "changes": "upgrade",
    "checkpoints": "resume, FSDP",
    "frameworks": (
        "huggingface, Trainer, Lightning, resume_from_checkpoint, replan Trainer, "
        "replan Lightning, amp, fused, overflow"
    ),
    "gallery": "cosine",
    "glossary": "glossary",
    "howto/absolute_values": "no weight decay",
    "howto/clipping_and_batch_size": "clipping, batch size, clip per group, global norm",
    "howto/epochs_samples_tokens": "gradient accumulation, tokens, seconds",
    "howto/extend_a_run": "mid-cosine, finetune, rewarm",
    "howto/log_values": "TensorBoard, wandb",
    "howto/outside_the_optimizer": "temperature, dropout, EMA, loss weight",
    "howto/param_groups": "layer decay, freeze, unfreeze",
    "howto/several_optimizers": "GAN, Muon",
    "howto/warmup_stable_decay": "1-sqrt, cool down, cooldown, wsd, warm restarts",
    "howto/weight_decay_and_momentum": "weight decay, beta2, momentum, cycle_momentum",
    "mistakes": "typo",
    "plans": "YAML, Hydra, vscode",
    "quickstart": "install, learning rate",
    "recipes": "DINOv2, nanoGPT, wall clock",
    "speed": "compile",
    "user_guide": "OneCycleLR, add_param_group, ReduceLROnPlateau, replan",
}


@cache
def places_by_entry() -> dict[str, list[tuple[str, bool]]]:
    """Where each entry of the search index leads, and whether that is a main entry."""
    text = (SITE / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    return {
        entry: [(f"{index['docnames'][i]}#{place}", is_main) for i, place, is_main in places]
        for entry, places in index["indexentries"].items()
    }


def found(query: str) -> str:
    """Where the main entry that equals the query leads: Sphinx shows it before everything else."""
    (place,) = (place for place, is_main in places_by_entry()[query.lower()] if is_main)
    return place.removesuffix("#")


def test_the_search_finds_first_what_is_meant() -> None:
    """The first result is the page that answers, at the section that has the word."""
    for page, queries in ANSWERS.items():
        assert {found(query).partition("#")[0] for query in queries.split(", ")} == {page}
    for place, words in WORDS.items():
        assert {found(word) for word in words.split(", ")} == {place}


def test_every_word_of_the_index_leads_somewhere() -> None:
    """The place that an entry of the index names is on its page."""
    for places in places_by_entry().values():
        for place, _ in places:
            page, _, fragment = place.partition("#")
            assert fragment in {"", *read(SITE / f"{page}.html").ids}
