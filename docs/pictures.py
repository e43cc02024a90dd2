"""Sphinx extension: each drawn picture has a light and a dark form, and the gallery has them all.

figures.py draws NAME.svg and NAME.dark.svg. A page names the first. The theme shows the one that
fits. The directive ``gallery`` makes a tile for each curve or each built-in, from the same lists.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from figures import GENERATED, HERE, builtin_calls, gallery_curves
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective


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
            page, prefix = "curves.md", "tsa.curves."
            tiles = gallery_curves()
        else:
            page, prefix = "builtin_schedules.md", "tsa."
            tiles = {call.partition("(")[0]: call for call in builtin_calls()}
        headings = re.findall(r"(?m)^### (.*)$", (HERE / page).read_text())
        gallery = nodes.container(classes=["gallery"])
        for name, expression in tiles.items():
            (heading,) = (each for each in headings if re.search(rf"\b{name}\b", each))
            anchor = re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-"))
            code = re.sub(r"(?<![\w.])(?=[A-Za-z]\w*\()", prefix, expression)
            link = f"[![{name}](_static/generated/thumbnail_{name}.svg)]({page}#{anchor})"
            tile = nodes.container(classes=["tile"])
            tile += self.parse_text_to_nodes(f"{link}\n\n[`{code}`]({page}#{anchor})\n")
            gallery += tile
        return [gallery]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_transform(LightAndDark)
    app.add_directive("gallery", Gallery)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
