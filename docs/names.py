"""Sphinx extension: the API under the names that users type, and with short types.

- Objects are documented as ``torch_schedule_anything.X``. A page shows ``tsa.X``. References to
  ``tsa_core.X`` and ``tsa_builtins.X`` lead to the same place. Names that only authors need are
  documented as ``tsa_core.X``.
- Long types have names, which api.md explains.
- The directive ``every`` documents all built-ins, all shapes or all combinations of curves.
- The directive ``summary`` makes a table of all names, with the first sentence of each.
"""

from __future__ import annotations

import inspect
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains.python import ObjectEntry
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective
from sphinx.util.inspect import TypeAliasForwardRef

import tsa_builtins
from tsa_builtins import curves
from tsa_builtins.schedules.registry import BUILT_INS

HERE = Path(__file__).resolve().parent
WHOLE = "torch_schedule_anything"
PARTS = ("tsa_core", "tsa_builtins")

# By their names in the sources, the names of long types.
TYPES = {
    "Choice": "Choice",
    "CurveByStep": "CurveByStep",
    "CurveLike": "CurveLike",
    "CurvePerGroup": "CurvePerGroup",
    "Levels": "Levels",
    "Plan": "Plan",
    "Points": "Points",
    "Rule": "CurveLike",
    "Shape": "Shape",
    "Value": "Value",
}
OTHER_WORD = {"tsa_core": {"Curve": "CurveLike"}}  # Curve is a class of tsa_builtins.curves


def rename_types() -> None:
    """Rename the types where one word has two meanings: annotations are text here."""
    for package, words in OTHER_WORD.items():
        modules = [module for name, module in sys.modules.items() if name.startswith(package)]
        for function in {each for module in modules for each in functions_in(module)}:
            for parameter, annotation in function.__annotations__.items():
                for word, name in words.items():
                    annotation = re.sub(rf"\b{word}\b", name, annotation)
                function.__annotations__[parameter] = annotation


def functions_in(holder: Any) -> set[Any]:
    found = set()
    for each in vars(holder).values():
        each = getattr(each, "fget", each)
        if inspect.isfunction(each):
            found.add(each)
        elif inspect.isclass(each) and inspect.ismodule(holder):
            found |= functions_in(each)
    return {
        each
        for each in found
        if all(isinstance(hint, str) for hint in each.__annotations__.values())
    }


def every(kind: str) -> list[str]:
    """Return the names of one kind: ``"built-ins"``, ``"shapes"`` or ``"combinations"``."""
    if kind == "built-ins":
        return [f"{WHOLE}.{name}" for name in tsa_builtins.__all__ if name in BUILT_INS]
    is_of_kind = {"shapes": inspect.isclass, "combinations": inspect.isfunction}[kind]
    apart = {"Curve", "from_dict", "to_dict"}  # their pages document them by hand
    return [
        f"{WHOLE}.curves.{name}"
        for name in curves.__all__
        if name not in apart and is_of_kind(getattr(curves, name))
    ]


class Every(SphinxDirective):
    """The documentation of all names of a kind, from their docstrings."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        word = "class" if self.arguments[0] == "shapes" else "function"
        names = [f".. auto{word}:: {name}" for name in every(self.arguments[0])]
        return self.parse_text_to_nodes("```{eval-rst}\n" + "\n\n".join(names) + "\n```")


class Summary(SphinxDirective):
    """A table of the names on each page of the API, with the first sentence of each docstring."""

    def run(self) -> list[nodes.Node]:
        order = re.findall(r"(?m)^api/(\w+)$", (HERE / "api.md").read_text())
        lines = []
        for page in order:
            text = (HERE / "api" / f"{page}.md").read_text()
            self.env.note_dependency(str(HERE / "api" / f"{page}.md"))
            found = re.findall(r"auto(?:class|function):: ([\w.]+)|{every} (.*)", text)
            names = [each for name, kind in found for each in (every(kind) if kind else [name])]
            if names:
                title = re.match(r"# (.*)\n", text)[1]
                lines += [
                    "",
                    f"**[{title}](api/{page}.md)**",
                    "",
                    "| name | purpose |",
                    "|---|---|",
                ]
                lines += [f"| {{py:obj}}`{typed(n)} <{n}>` | {first_line(n)} |" for n in names]
        return self.parse_text_to_nodes("\n".join(lines))


def typed(name: str) -> str:
    """Return the name as users type it."""
    return re.sub(rf"^{WHOLE}\.", "tsa.", name)


def first_line(name: str) -> str:
    package, *parts = name.split(".")
    documented: Any = import_module(package)
    for part in parts:
        documented = getattr(documented, part)
    first, _, _ = (inspect.getdoc(documented) or "").partition("\n\n")
    first = re.sub(r":\w+:`~?([^`]*)`", r"`\1`", " ".join(first.split()).replace("``", "`"))
    return first.replace("|", r"\|")


def note_other_names(app: Sphinx, env: BuildEnvironment) -> None:
    """Let ``tsa_core.X`` lead to ``torch_schedule_anything.X``, in the inventory too."""
    domain = env.domains.python_domain
    for name, entry in list(domain.objects.items()):
        whole, _, rest = name.partition(".")
        if whole == WHOLE:
            for part in PARTS:
                if has(part, rest):
                    other = ObjectEntry(entry.docname, entry.node_id, entry.objtype, True)
                    domain.objects.setdefault(f"{part}.{rest}", other)
                    if name in domain.modules:
                        domain.modules[f"{part}.{rest}"] = domain.modules[name]


def has(package: str, name: str) -> bool:
    first = name.split(".")[0]
    return first in import_module(package).__all__


def show_what_users_type(app: Sphinx, doctree: nodes.document) -> None:
    for prefix in doctree.findall(addnodes.desc_addname):
        text = prefix.astext()
        if typed(text) != text:
            prefix.clear()
            prefix += nodes.Text(typed(text))


def setup(app: Sphinx) -> dict[str, bool]:
    rename_types()
    # Inside a longer type, Sphinx shows the repr of its stand-in for a named type.
    TypeAliasForwardRef.__repr__ = lambda self: self.name
    app.add_directive("every", Every)
    app.add_directive("summary", Summary)
    app.connect("env-updated", lambda app, env: note_other_names(app, env))
    app.connect("doctree-read", show_what_users_type)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
