"""A comparison as LaTeX: files with one `tabular` each, to be input by a document."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from pose_inpaint.metrics.score_names import ScoreName
from pose_inpaint.reporting.cost_table import COST, MEANING, format_cost, has_costs
from pose_inpaint.reporting.tables import Comparison, describe
from pose_inpaint.runtime.files import written_whole

# ruff: noqa: RUF001  (letters that look like others are what this is about)

COMMANDS = str.maketrans({
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "±": r"$\pm$", "×": r"$\times$", "−": "$-$", "≈": r"$\approx$", "≤": r"$\le$", "≥": r"$\ge$", "∞": r"$\infty$",
    "→": r"$\rightarrow$", "←": r"$\leftarrow$", "↑": r"$\uparrow$", "↓": r"$\downarrow$",
    "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "δ": r"$\delta$", "Δ": r"$\Delta$", "ε": r"$\varepsilon$",
    "λ": r"$\lambda$", "μ": r"$\mu$", "σ": r"$\sigma$", "τ": r"$\tau$",
})  # fmt: skip
"""Characters that are commands to LaTeX, or that pdfLaTeX doesn't know in text. It does know letters with accents."""


def write_latex(found: Comparison, path: Path) -> None:
    """Write the table; what all scores have in common, such as the image, stands in a comment and not in the heads."""
    heads, common = _split_heads([ScoreName.parse(score).parts for score in found.scores])
    rows = [[escape_latex(name), *_cells(found, index)] for index, name in enumerate(found.names)]
    comments = [*describe(found), *([f"All scores: {', '.join(common)}."] if common else [])]
    _write(path, comments, latex_table(heads, rows, "l" + "r" * len(found.scores)))


def _cells(found: Comparison, index: int) -> list[str]:
    bold = [found.best[score] == index for score in found.scores]
    texts = [escape_latex(found.cells[score][index]) for score in found.scores]
    return [rf"\textbf{{{text}}}" if best else text for text, best in zip(texts, bold, strict=True)]


def _split_heads(parts: Sequence[tuple[str, str, str]]) -> tuple[list[list[str]], list[str]]:
    """Rows of a head over all scores (metric, image, region), and the images and regions that all of them share."""
    metrics, *others = zip(*parts, strict=True)
    shared = [row[0] for row in others if len(set(row)) == 1]
    rows = [row for row in others if len(set(row)) > 1]
    return [["method", *metrics], *(["", *row] for row in rows)], shared


def write_latex_cost(found: Comparison, path: Path) -> None:
    """Write the table of what the methods cost; nothing if no cost was recorded."""
    if has_costs(found.runs):
        methods = zip(found.names, found.runs, strict=True)
        rows = [list(map(escape_latex, [name, *format_cost(run.file.cost)])) for name, run in methods]
        _write(path, [MEANING], latex_table([["method", *COST.values()]], rows, "l" + "r" * (len(COST) - 1) + "l"))


def latex_table(heads: Iterable[Sequence[str]], rows: Iterable[Sequence[str]], columns: str) -> list[str]:
    """Lines of a `tabular` with one or more rows of text as head, cells of LaTeX, and columns such as "lrr"."""
    head = [_row(map(escape_latex, texts)) for texts in heads]
    lines = [rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}", r"\hline", *head, r"\hline", *map(_row, rows)]
    return [*lines, r"\hline", r"\end{tabular}"]


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def escape_latex(text: str) -> str:
    """Text as LaTeX prints it, in one line; at the start of a row, [ and * would be arguments of the line before."""
    text = " ".join(text.split()).translate(COMMANDS)
    return re.sub(r"^(?=[\[*])", "{}", text)


def _write(path: Path, comments: Iterable[str], table: Iterable[str]) -> None:
    lines = [*(f"% {' '.join(comment.split())}" for comment in comments), *table]
    with written_whole(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
