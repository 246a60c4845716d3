"""Sphinx configuration of the documentation; build it with `uv run --group docs sphinx-build -W docs docs/build`."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import settings_pages
from sphinx.application import Sphinx

project = "pose_inpaint"
copyright = "the pose_inpaint authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["build"]
html_theme = "furo"
html_title = "pose_inpaint"
html_static_path: list[str] = []
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_preserve_defaults = True


DOCS = Path(__file__).parent
CARDS = {
    card.relative_to(DOCS.parent).as_posix(): f"settings/card_{card.parent.name}.md"
    for card in sorted((DOCS.parent / "src").rglob("card.md"))
}
"""Cards of the released weights in the package, and the pages of the site that stand for them."""


def setup(app: Sphinx) -> None:
    """Write the pages of settings before Sphinx reads the sources, and turn links out of `docs/` to pages."""
    settings_pages.write(DOCS / "settings")
    for file, page in CARDS.items():
        card = (DOCS.parent / file).read_text(encoding="utf-8")
        (DOCS / page).write_text(f"---\norphan: true\n---\n{card}", encoding="utf-8")
    app.connect("source-read", link_inside)


def link_inside(app: Sphinx, name: str, source: list[str]) -> None:
    """Replace a page's links to files outside `docs/` by links to the pages that stand for them."""
    up = "../" * name.count("/")
    for file, page in CARDS.items():
        source[0] = source[0].replace(f"]({up}../{file}", f"]({up}{page}")
    source[0] = re.sub(rf"\]\({up}\.\./README\.md(#[\w-]*)?\)", f"]({up}index.md)", source[0])
