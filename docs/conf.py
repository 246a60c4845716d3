"""Sphinx configuration of the documentation; build it with `uv run --group docs sphinx-build -W docs docs/build`."""

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


OUTSIDE = {"src/pose_inpaint/models/weights/pretrained/card.md": "settings/card.md", "README.md": "index.md"}
"""Files of the repository that pages link to, and the pages of the site that stand for them."""


def setup(app: Sphinx) -> None:
    """Write the pages of settings before Sphinx reads the sources, and turn links out of `docs/` to pages."""
    docs = Path(__file__).parent
    settings_pages.write(docs / "settings")
    card = docs.parent / next(iter(OUTSIDE))
    (docs / "settings" / "card.md").write_text("---\norphan: true\n---\n" + card.read_text(encoding="utf-8"))
    app.connect("source-read", link_inside)


def link_inside(app: Sphinx, name: str, source: list[str]) -> None:
    """Replace a page's links to files outside `docs/` by links to the pages that stand for them."""
    up = "../" * name.count("/")
    for file, page in OUTSIDE.items():
        source[0] = source[0].replace(f"]({up}../{file}", f"]({up}{page}")
