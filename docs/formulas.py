"""Sphinx extension: formulas become MathML when the site is built.

Every current browser lays out MathML itself, so a page needs no script and no network for its
formulas. Phones often lack a font for them, so the site has a part of STIX Two Math.
"""

from __future__ import annotations

import re
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from docutils import nodes
from fontTools import subset
from math_core import LatexError, LatexToMathML
from sphinx.application import Sphinx
from sphinx.util import logging

FONT = "formulas.woff"  # named in _static/site.css
# ASCII, ±, ×, Greek, dashes and primes, arrows, operators, brackets, italic letters.
CHARACTERS = (
    "U+20-7E,U+B1,U+B7,U+D7,U+391-3F5,U+2010-2044,U+2190-21FF,U+2200-22FF,U+2308-230B,"
    "U+239B-23B9,U+27E8-27E9,U+1D400-1D7FF"
)

LOGGER = logging.getLogger(__name__)
CONVERTER = LatexToMathML()


def as_mathml(latex: str, node: nodes.Node, *, display: bool) -> str:
    latex = re.sub(
        r"\\\\\[[^]]*\]", r"\\\\", latex
    )  # MathML has no \\[2ex]: site.css sets rows apart
    try:
        return CONVERTER.convert_with_local_state(latex, displaystyle=display)
    except LatexError as error:
        LOGGER.warning("formula %r: %s", latex, error, location=node)
        return ""


def visit_inline(translator: Any, node: nodes.math) -> None:
    translator.body.append(as_mathml(node.astext(), node, display=False))
    raise nodes.SkipNode


def visit_display(translator: Any, node: nodes.math_block) -> None:
    formula = as_mathml(node.astext(), node, display=True)
    translator.body.append(f'<div class="formula">{formula}</div>\n')
    raise nodes.SkipNode


def write_font(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None:
        return
    with as_file(files("ziamath") / "fonts" / "STIXTwoMath-Regular.ttf") as font:
        subset.main([
            str(font),
            f"--unicodes={CHARACTERS}",
            "--flavor=woff",
            "--name-IDs=*",  # the license is one of them
            f"--output-file={Path(app.outdir) / '_static' / FONT}",
        ])  # fmt: skip


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_display, None))
    app.connect("build-finished", write_font)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
