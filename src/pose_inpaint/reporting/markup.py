"""Tables as lines of Markdown and LaTeX."""

from collections.abc import Iterable, Sequence


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table; a bar within a cell would end it and becomes a space."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join(cell.replace('|', ' ') for cell in row)} |" for row in rows]


def latex_table(head: Sequence[str], rows: Iterable[Sequence[str]], columns: str) -> list[str]:
    """Lines of a `tabular` whose cells are LaTeX already, with a column specification such as "lrr"."""
    lines = [rf"\begin{{tabular}}{{{columns}}}", r"\hline", " & ".join(head) + r" \\", r"\hline"]
    return [*lines, *(" & ".join(row) + r" \\" for row in rows), r"\hline", r"\end{tabular}"]


def escape_latex(text: str) -> str:
    """Text as LaTeX prints it."""
    for mark in "&%$#_{}":
        text = text.replace(mark, "\\" + mark)
    return text
