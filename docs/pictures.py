"""Sphinx extension: each drawn picture has a light and a dark form, and the gallery has them all.

figures.py draws NAME.svg and NAME.dark.svg. A page names the first. The theme shows the one that
fits. The directive ``gallery`` makes a tile for each curve or each built-in, from the same lists.
Their docstrings have the picture too.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from figures import CURVES, GENERATED, builtin_calls
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective

WHOLE = "torch_schedule_anything"
FOLDED = ("api/builtins", "api/curves")
OPERATORS = ("Product", "Sum")  # of no function: Curve has their methods


class LightAndDark(SphinxTransform):
    """Puts the dark form of a drawn picture beside the light one, before images are collected."""

    default_priority = 500

    def apply(self, **kwargs: Any) -> None:
        for light in list(self.document.findall(nodes.image)):
            path = Path(light["uri"])
            if (GENERATED / f"{path.stem}.dark{path.suffix}").exists():
                dark = light.deepcopy()
                dark["uri"] = str(path.with_name(f"{path.stem}.dark{path.suffix}"))
                light["classes"].append("only-light")
                dark["classes"].append("only-dark")
                light.parent.insert(light.parent.index(light) + 1, dark)


class Gallery(SphinxDirective):
    """A tile for each curve, or for each built-in: its picture, and the line that makes it."""

    required_arguments = 1  # curves or built-ins

    def run(self) -> list[nodes.Node]:
        if self.arguments[0] == "curves":
            prefix, place = "tsa.curves.", f"{WHOLE}.curves."
            tiles = {name: expressions[0] for name, expressions in CURVES.items()}
        else:
            prefix, place = "tsa.", f"{WHOLE}."
            tiles = {call.partition("(")[0]: call for call in builtin_calls()}
        gallery = nodes.container(classes=["gallery"])
        for name, expression in tiles.items():
            documented = name not in OPERATORS
            target = f"#{place}{name}" if documented else "curves.md#combinations"
            code = re.sub(r"(?<![\w.])(?=[A-Za-z]\w*\()", prefix, expression)
            link = f"[![{name}](_static/generated/thumbnail_{name}.svg)]({target})"
            tile = nodes.container(classes=["tile"])
            tile += self.parse_text_to_nodes(f"{link}\n\n[`{code}`]({target})\n")
            gallery += tile
        return [gallery]


def show_in_docstring(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Put the picture of a built-in or a curve after the first sentence of its docstring."""
    short = name.removeprefix(f"{WHOLE}.").replace("curves.", "curve_")
    if (GENERATED / f"{short}.svg").exists() and "" in lines:
        place = lines.index("") + 1
        picture = f"   .. image:: /_static/generated/{short}.svg"
        alternative = f"      :alt: the picture of {name}"
        lines[place:place] = [".. container:: beside", "", picture, alternative, ""]


def fold_arguments(app: Sphinx, doctree: nodes.document) -> None:
    """Fold the arguments and errors of built-ins and curves: most are the same for all."""
    if app.env.docname in FOLDED:
        for fields in list(doctree.findall(nodes.field_list)):
            opened = "<details><summary>Arguments and errors</summary>"
            place = fields.parent.index(fields)
            fields.parent.insert(place + 1, nodes.raw("", "</details>", format="html"))
            fields.parent.insert(place, nodes.raw("", opened, format="html"))


def setup(app: Sphinx) -> dict[str, bool]:
    app.setup_extension("sphinx.ext.autodoc")  # has the event
    app.connect("autodoc-process-docstring", show_in_docstring)
    app.connect("doctree-read", fold_arguments)
    app.add_transform(LightAndDark)
    app.add_directive("gallery", Gallery)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
