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


# A word that a reader types, and the page that answers it.
ANSWERS = {
    "warmup": "builtin_schedules",
    "yaml": "howto/config_files",
    "tensorboard": "howto/log_values",
    "wandb": "howto/log_values",
    "dropout": "howto/dropout",
    "freeze": "howto/freeze_and_thaw",
    "GAN": "howto/gan",
    "tokens": "howto/epochs_samples_tokens",
    "EMA": "howto/ema_decay",
    "accumulation": "howto/gradient_accumulation",
    "glossary": "glossary",
}


@cache
def index() -> dict:
    text = (SITE / "searchindex.js").read_text(encoding="utf-8")
    return json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))


def found(word: str) -> list[str]:
    """The pages that the search shows for a word, best first.

    The numbers are those of searchtools.js: a title that has the word, a word of a title, and a
    word of the text. A part of a word counts less.
    """
    data, word = index(), word.lower()
    stem = SearchEnglish({}).stem(word)  # the index has "token" for "tokens"
    scores: dict[int, float] = {}

    def add(documents: object, score: float) -> None:
        for document in documents if isinstance(documents, list) else [documents]:
            scores[document] = max(scores.get(document, 0), score)

    for title, places in data["alltitles"].items():
        if word in title.lower() and len(word) >= len(title) / 2:
            for document, place in places:
                add(document, 15 * len(word) / len(title) + (place is None))
    for terms, whole, part in ((data["titleterms"], 15, 7), (data["terms"], 5, 2)):
        for term, documents in terms.items():
            if term == stem:
                add(documents, whole)
            elif stem in term and len(stem) > 2 and stem not in terms:
                add(documents, part)
    names = data["docnames"]
    return [names[document] for document, _ in sorted(scores.items(), key=lambda item: -item[1])]


@pytest.mark.parametrize("word", ANSWERS)
def test_the_search_finds_the_page_that_answers(word: str) -> None:
    """The page comes among the first of the search."""
    assert ANSWERS[word] in found(word)[:5]
