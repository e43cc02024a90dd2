"""The built site: its links, its search index and what each page says of itself.

``nox -s docs`` builds the site and runs these tests. The variable SITE names its folder.
"""

from __future__ import annotations

import json
import os
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from sphinx.search.en import SearchEnglish

SITE = Path(os.environ.get("SITE", "docs/_build/html")).resolve()
PAGES = sorted(SITE.rglob("*.html"))
MADE = {"genindex", "search", "py-modindex"}  # Sphinx makes them, and they have no text of ours


class Page(HTMLParser):
    """The links, the places to link to and the descriptions of one page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.descriptions: list[str] = []
        self.icons: list[str] = []
        self.images_without_text = 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        if "id" in found:
            self.ids.add(found["id"])
        for name in ("href", "src"):
            if name in found and tag != "use":
                self.links.append(found[name])
        if tag == "meta" and found.get("name") == "description":
            self.descriptions.append(found["content"])
        if tag == "link" and "icon" in found.get("rel", ""):
            self.icons.append(found["href"])
        if tag == "img" and not found.get("alt"):
            self.images_without_text += 1


@cache
def read(path: Path) -> Page:
    return Page(path)


def name_of(path: Path) -> str:
    return path.relative_to(SITE).with_suffix("").as_posix()


def written_pages() -> list[Path]:
    return [page for page in PAGES if name_of(page) not in MADE and "_modules" not in page.parts]


def test_the_site_is_built() -> None:
    """The folder has the pages: without it, the other tests would have nothing to check."""
    assert len(PAGES) > 20, f"no site in {SITE}: run nox -s docs"


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_link_within_the_site_leads_somewhere(path: Path) -> None:
    """The file of each link exists, and so does the place in it."""
    broken = []
    for link in read(path).links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if target.is_dir():
            target = target / "index.html"
        missing_place = (
            parts.fragment
            and target.suffix == ".html"
            and target.is_file()
            and unquote(parts.fragment) not in read(target).ids
        )
        if not target.is_file() or missing_place:
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("path", written_pages(), ids=name_of)
def test_every_page_describes_itself(path: Path) -> None:
    """A page has one description, an icon, and a text for each picture."""
    page = read(path)
    assert len(page.descriptions) == 1
    assert len(page.descriptions[0]) > 30
    assert page.icons
    assert page.images_without_text == 0


@pytest.mark.parametrize("path", written_pages(), ids=name_of)
def test_every_picture_has_a_form_for_each_theme(path: Path) -> None:
    """A picture for the light theme has one for the dark theme beside it."""
    images = re.findall(r"<img [^>]*>", path.read_text(encoding="utf-8"))
    light = [image for image in images if "only-light" in image]
    dark = [image for image in images if "only-dark" in image]
    assert len(images) == len(light) + len(dark)
    assert len(light) == len(dark)


@pytest.mark.parametrize("path", written_pages(), ids=name_of)
def test_no_line_ends_after_a_parenthesis_that_opens(path: Path) -> None:
    """A heading or a name in code may break, but not after ``(``."""
    assert "(<wbr>" not in path.read_text(encoding="utf-8")


def test_the_site_has_few_pages() -> None:
    """A reader can know the site: it has at most 40 pages."""
    assert len(written_pages()) <= 40


# What a reader types, and where the first result of the search leads.
ANSWERS = {
    "1-sqrt": "howto/warmup_stable_decay",
    "add_param_group": "user_guide#groups-that-join-later",
    "amp": "frameworks#torch-amp-gradscaler",
    "batch size": "howto/clipping_and_batch_size#batch-size",
    "beta2": "howto/weight_decay_and_momentum#beta1-and-beta2",
    "clip per group": "howto/clipping_and_batch_size#clip-each-group-by-its-own-threshold",
    "clipping": "howto/clipping_and_batch_size",
    "compile": "speed#compiled-steps",
    "cool down": "howto/warmup_stable_decay",
    "cooldown": "howto/warmup_stable_decay",
    "cycle_momentum": (
        "howto/weight_decay_and_momentum#momentum-that-rises-as-the-learning-rate-falls"
    ),
    "cosine": "gallery#two-shapes-are-called-cosine",
    "CurveSchedule": "api/schedules#torch_schedule_anything.CurveSchedule",
    "dropout": "howto/outside_the_optimizer#dropout",
    "EMA": "howto/outside_the_optimizer#ema-decay",
    "finetune": "howto/extend_a_run#fine-tune-with-new-rates",
    "freeze": "howto/param_groups#freeze-and-thaw",
    "FSDP": "checkpoints#several-processes",
    "GAN": "howto/several_optimizers",
    "glossary": "glossary",
    "DINOv2": "recipes#dinov2",
    "fused": "frameworks#torch-amp-gradscaler",
    "global norm": "howto/clipping_and_batch_size#clip-each-group-by-its-own-threshold",
    "gradient accumulation": "howto/epochs_samples_tokens#gradient-accumulation",
    "huggingface": "frameworks#hugging-face-trainer",
    "Hydra": "plans#hydra",
    "install": "quickstart",
    "layer decay": "howto/param_groups",
    "learning rate": "quickstart#the-learning-rate",
    "Lightning": "frameworks#lightning",
    "loss weight": "howto/outside_the_optimizer#loss-weight",
    "momentum": "howto/weight_decay_and_momentum#momentum",
    "Muon": "howto/several_optimizers#muon-beside-adamw",
    "nanoGPT": "recipes#nanogpt",
    "no weight decay": "howto/absolute_values#biases-and-norms-without-weight-decay",
    "OneCycleLR": "user_guide#any-torch-scheduler-on-any-entry",
    "overflow": "frameworks#torch-amp-gradscaler",
    "ReduceLROnPlateau": "user_guide#metrics",
    "mid-cosine": "howto/extend_a_run#cool-down-from-mid-cosine",
    "seconds": "howto/epochs_samples_tokens#tokens-for-one-target-seconds-for-another",
    "skip_zero": "builtin_schedules#the-two-warmups-and-skip-zero",
    "replan": "user_guide#replan-another-plan-in-the-middle-of-a-run",
    "replan Lightning": "frameworks#replan-in-a-hook",
    "replan Trainer": "frameworks#replan-in-a-callback",
    "resume": "checkpoints",
    "resume_from_checkpoint": "frameworks#replan-and-resume",
    "rewarm": "howto/extend_a_run#rewarm",
    "temperature": "howto/outside_the_optimizer",
    "TensorBoard": "howto/log_values#tensorboard",
    "tokens": "howto/epochs_samples_tokens#tokens",
    "Trainer": "frameworks#hugging-face-trainer",
    "typo": "mistakes#a-name-that-is-not-there",
    "unfreeze": "howto/param_groups#freeze-and-thaw",
    "upgrade": "changes",
    "vscode": "plans#in-an-editor-such-as-vs-code",
    "wall clock": "recipes#wall-clock-budget",
    "wandb": "howto/log_values#weights-biases-wandb",
    "warm restarts": "howto/warmup_stable_decay#warm-restarts",
    "warmup": "builtin_schedules",
    "warmup from 1/N": "builtin_schedules#the-two-warmups-and-skip-zero",
    "weight decay": "howto/weight_decay_and_momentum",
    "wsd": "howto/warmup_stable_decay",
    "YAML": "plans",
}


@cache
def index() -> dict:
    text = (SITE / "searchindex.js").read_text(encoding="utf-8")
    return json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))


def found(query: str) -> list[str]:
    """Where the results of the search lead, best first.

    The numbers are those of searchtools.js, without its fine print: an entry of the index, a
    title, the name of an object, and a word of a title or of the text.
    """
    data, query = index(), query.lower()
    scores: dict[str, float] = {}

    def add(document: int, place: str | None, score: float) -> None:
        where = data["docnames"][document] + (f"#{place}" if place else "")
        scores[where] = max(scores.get(where, 0), score)

    for entry, places in data["indexentries"].items():
        if query in entry and len(query) >= len(entry) / 2:
            for document, place, is_main in places:
                # Other entries come after everything else.
                add(document, place, 100 * len(query) / len(entry) if is_main else 0)
    for title, places in data["alltitles"].items():
        if query in title.lower() and len(query) >= len(title) / 2:
            for document, place in places:
                add(document, place, 15 * len(query) / len(title) + (place is None))
    words = query.split()
    for prefix, objects in data["objects"].items():
        for document, _, _, anchor, name in objects:
            last = name.lower().rpartition(".")[2]
            if words[0] in last and len(words) == 1:
                place = f"{prefix}.{name}" if anchor == "" else anchor
                add(document, place, 16 if last == query else 11)
    by_word: list[dict[int, int]] = []
    for word in words:
        stem, here = SearchEnglish({}).stem(word), {}
        for terms, whole, part in ((data["terms"], 5, 2), (data["titleterms"], 15, 7)):
            for term, documents in terms.items():
                score = whole if term == stem else part * (stem in term and stem not in terms)
                for document in documents if isinstance(documents, list) else [documents]:
                    here[document] = max(here.get(document, 0), score)
        by_word.append({document: score for document, score in here.items() if score})
    for document in set.intersection(*map(set, by_word)):
        add(document, None, max(here[document] for here in by_word))
    return sorted(scores, key=lambda where: -scores[where])


@pytest.mark.parametrize("query", ANSWERS)
def test_the_search_finds_first_what_is_meant(query: str) -> None:
    """The first result is the page, or the section of a page, that answers."""
    assert found(query)[0] == ANSWERS[query]


def test_every_word_of_the_index_leads_somewhere() -> None:
    """The place that an entry of the index names is on its page."""
    data = index()
    missing = [
        (entry, data["docnames"][document], place)
        for entry, places in data["indexentries"].items()
        for document, place, _ in places
        if place and place not in read(SITE / f"{data['docnames'][document]}.html").ids
    ]
    assert not missing
