"""Settings of the site. `nox -s docs` builds it into docs/_build/html."""

import sys
from importlib import metadata
from pathlib import Path
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).parent))  # for formulas.py

project = "ScheduleAnything"
author = "the ScheduleAnything authors"
release = metadata.version("torch-schedule-anything")

extensions = [
    "formulas",
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4  # links such as infrastructure.md#curveschedule

autodoc_inherit_docstrings = False  # torch's site has torch's
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False


def reachable(site: str) -> bool:
    try:
        with urlopen(f"{site}objects.inv", timeout=5):
            return True
    except OSError:
        return False


# Names of torch and Python become links if their sites can be reached. A build without a network
# only lacks these links.
sites = {"python": "https://docs.python.org/3/", "torch": "https://docs.pytorch.org/docs/stable/"}
intersphinx_mapping = {name: (site, None) for name, site in sites.items() if reachable(site)}
nitpick_ignore_regex = [
    ("py:.*", r"(torch|collections|matplotlib|typing)\..*|Figure"),
    ("py:class", r"tsa_[\w.]+\._.*"),  # type variables
    ("py:exc", r".* .*"),  # several names, or a sentence, under Raises
]

html_theme = "furo"
html_title = f"ScheduleAnything {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_show_copyright = False
html_copy_source = False


def link_changelog(app, page, source):
    """Make links to the file CHANGELOG.md, which work on GitHub, links to the page of the site."""
    source[0] = source[0].replace("](../CHANGELOG.md)", "](changelog.md)")


def keep_sentences_whole(app, what, name, obj, options, lines):
    """Put an empty comment before the docstring of an attribute.

    Napoleon takes the words before a colon in the first line of an attribute for its type.
    """
    if what in ("attribute", "property"):
        lines[:0] = ["..", ""]


def setup(app):
    app.connect("source-read", link_changelog)
    app.connect("autodoc-process-docstring", keep_sentences_whole, priority=400)  # before Napoleon
