"""Settings of the site. `nox -s docs` builds it into docs/_build/html."""

import html
import inspect
import re
import sys
from importlib import metadata
from pathlib import Path
from urllib.request import urlopen

from docutils import nodes

sys.path.insert(0, str(Path(__file__).parent))  # for the extensions beside this file

import names  # beside this file

project = "ScheduleAnything"
author = "the ScheduleAnything authors"
about = metadata.metadata("torch-schedule-anything")
release = about["Version"]
addresses = dict(url.split(", ") for url in about.get_all("Project-URL"))

extensions = [
    "formulas",
    "names",
    "pictures",
    "search_words",
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.linkcode",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "contribute"]  # contributors read on GitHub, beside the code

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4  # links such as user_guide.md#two-threads

autodoc_inherit_docstrings = False  # torch's site has torch's
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
# Public for other rooms of the package, and not for users.
autodoc_default_options = {
    "exclude-members": "check_groups, chosen, commit, driven_groups, follow, follows, having, "
    "initials_in_code, initials_of, label, moves_to, prepare, recorded_from_code, rewrite, "
    "stand_at, take_in, take_in_new, values_of, without_effect"
}
autodoc_type_aliases = {
    alias: f"torch_schedule_anything.{name}" for alias, name in names.TYPES.items()
}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 70  # then one argument per line
toc_object_entries_show_parents = "hide"
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
    ("py:class", r"tsa_core\.[a-z].*|tsa_builtins\.curves\.[a-z].*"),  # types that are not public
    ("py:exc", r".* .*"),  # several names, or a sentence, under Raises
]

html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = f"ScheduleAnything {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
html_theme_options = {
    "source_repository": addresses["Repository"],
    "source_branch": "main",
    "source_directory": "docs/",
    "footer_icons": [{"name": "Repository", "url": addresses["Repository"], "html": "Repository"}],
}
html_math_renderer = "mathml"
html_show_copyright = False
html_copy_source = False


def linkcode_resolve(domain, info):
    """Lead from a name to its source in the repository."""
    package, *parts = f"{info['module']}.{info['fullname']}".split(".")
    found = sys.modules.get(package)
    for part in parts:
        found = getattr(found, part, None)
    found = inspect.unwrap(getattr(found, "fget", found))
    if not (inspect.isclass(found) or inspect.isfunction(found)):
        return None
    lines, first = inspect.getsourcelines(found)
    package = found.__module__.partition(".")[0]
    root = Path(sys.modules[package].__file__).parents[1]
    file = Path(inspect.getsourcefile(found)).relative_to(root).as_posix()
    folder = f"packages/{package.replace('_', '-')}/src"
    place = f"#L{first}-L{first + len(lines) - 1}"
    return f"{addresses['Repository']}/blob/main/{folder}/{file}{place}"


def link_changelog(app, page, source):
    """Make links to the file CHANGELOG.md, which work on GitHub, links to the page of the site."""
    source[0] = source[0].replace("](../CHANGELOG.md)", "](changes.md#changelog)")


def keep_sentences_whole(app, what, name, obj, options, lines):
    """Put an empty comment before the docstring of an attribute.

    Napoleon takes the words before a colon in the first line of an attribute for its type.
    """
    if what in ("attribute", "property"):
        lines[:0] = ["..", ""]


def describe(app, pagename, templatename, context, doctree):
    """Describe each page to search engines and previews of links by its first paragraph."""
    text = about["Summary"]
    if doctree is not None and (paragraph := next(doctree.findall(nodes.paragraph), None)):
        text = paragraph.astext().replace("\n", " ")
    name = html.escape(text, quote=True)
    context["metatags"] = (
        context.get("metatags", "") + f'<meta name="description" content="{name}">\n'
    )


def break_code_between_words(app, pagename, templatename, context, doctree):
    """Let a long name in code or in a heading break after ``_``, ``.``, ``=`` or ``/``.

    It does not break after ``(``: a line that ends there looks as if something were missing.
    """

    def with_breaks(match):
        return match[1] + re.sub(r"([_/=]|(?<!^tsa)\.(?=\w))(?=[^\s_(/=)])", r"\1<wbr>", match[2])

    body = re.sub(r'(<span class="pre">)([^<]*)', with_breaks, context.get("body", ""))
    context["body"] = re.sub(r"(<h[1-6]>)([^<]*)", with_breaks, body)


def setup(app):
    app.connect("html-page-context", break_code_between_words)
    app.connect("html-page-context", describe)
    app.connect("source-read", link_changelog)
    app.connect("autodoc-process-docstring", keep_sentences_whole, priority=400)  # before Napoleon
