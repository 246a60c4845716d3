"""Tables as LaTeX, letter by letter, and as pdfLaTeX sets them where there is one."""

# ruff: noqa: RUF001  (letters that look like others are what this is about)

import re
import shutil
import subprocess

import pytest
from test_tables import File, Run

from pose_inpaint.reporting.latex import escape_latex, write_latex, write_latex_cost
from pose_inpaint.reporting.tables import Comparison

ASCII = "".join(map(chr, range(32, 127)))
SYMBOLS = "±×−≈≤≥∞→←↑↓αβγδΔελμστ"
COST = {
    "parameters": 6890400, "gflop": 20.2, "seconds_per_image": 0.01, "peak_memory_bytes": 2**29, "device": "cuda (H_2)",
    "threads": 1,
}  # fmt: skip


class Costly(File):
    cost = COST

    def __init__(self, value):
        self.value = value

    def estimate(self, score):
        return {"value": self.value, "low": self.value - 0.0006, "high": self.value + 0.0006, "n": 3}


def comparison(names, scores, intervals="full"):
    runs = [Run(name) for name in names]
    for index, run in enumerate(runs):
        run.file = Costly(0.0088 + 0.01 * index)
    return Comparison(runs, names, scores, [], dict.fromkeys(scores, 0), intervals)


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("slides2018_cpu", r"slides2018\_cpu"),
        (r"5 % & #1 $x$ {a} C:\b", r"5 \% \& \#1 \$x\$ \{a\} C:\textbackslash{}b"),
        ("~a^2 <b> |c|", r"\textasciitilde{}a\textasciicircum{}2 \textless{}b\textgreater{} \textbar{}c\textbar{}"),
        ("0.1 ± 0.2, a → β", r"0.1 $\pm$ 0.2, a $\rightarrow$ $\beta$"),
        ("[ours]", "{}[ours]"),
        ("*ours [2]", "{}*ours [2]"),
        ("two\n lines", "two lines"),
        ("Fréchet", "Fréchet"),
    ],
)
def test_names_are_printed_letter_by_letter(text, latex):
    assert escape_latex(text) == latex


def test_heads_leave_out_what_all_scores_share_and_a_comment_says_it(tmp_path):
    scores = ["mse_composite_whole", "psnr_composite_hole"]
    write_latex(comparison(["a_b", "c"], scores, "half"), tmp_path / "table.tex")
    lines = (tmp_path / "table.tex").read_text().splitlines()
    table = lines.index(r"\begin{tabular}{@{}lrr@{}}")
    assert all(line.startswith("% ") for line in lines[:table])
    assert lines[table - 1] == "% All scores: composite."
    assert lines[table + 1 : table + 6] == [
        r"\hline",
        r"method & MSE & PSNR (dB) \\",
        r" & whole & hole \\",
        r"\hline",
        r"a\_b & \textbf{0.0088 $\pm$ 0.0006} & \textbf{0.01 $\pm$ 0.00} \\",
    ]
    write_latex(comparison(["a"], ["mse_raw_whole", "mse_composite_hole"], "none"), tmp_path / "other.tex")
    text = (tmp_path / "other.tex").read_text()
    assert "All scores" not in text
    assert "method & MSE & MSE \\\\\n & raw & composite \\\\\n & whole & hole \\\\\n\\hline\na & " in text


def widths(tmp_path, *tables):
    """Widths of tables in a two-column article, in columns, as pdfLaTeX sets them; fails on the first error."""
    boxes = "\n".join(
        rf"\sbox{{\tablebox}}{{{size}\input{{{name}}}}}\typeout{{WIDTH \the\wd\tablebox}}" for size, name in tables
    )
    (tmp_path / "paper.tex").write_text(
        "\\documentclass[twocolumn]{article}\n\\begin{document}\n\\newsavebox{\\tablebox}\n"
        f"{boxes}\n\\typeout{{COLUMN \\the\\columnwidth}}\n\\usebox{{\\tablebox}}\n\\end{{document}}\n"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "paper.pdf").stat().st_size > 1000
    column = float(re.search(r"COLUMN ([\d.]+)pt", done.stdout)[1])
    return [float(width) / column for width in re.findall(r"WIDTH ([\d.]+)pt", done.stdout)]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_pdflatex_compiles_the_tables_and_short_ones_fit_one_column(tmp_path):
    scores = ["mse_composite_whole", "mse_composite_hole", "psnr_composite_whole", "dssim_composite_whole"]
    names = [ASCII, f"[{SYMBOLS}] naïve Fréchet – “x”", "*starred", "x" * 60]
    found = comparison(names, [*scores, "frechet_vgg16_raw_whole", "wnjd_raw_hole"])
    write_latex(found, tmp_path / "all.tex")
    write_latex_cost(found, tmp_path / "cost.tex")
    short = ["Push-pull", "Telea"]
    write_latex(comparison(short, scores), tmp_path / "full.tex")
    write_latex(comparison(short, scores, "none"), tmp_path / "none.tex")
    write_latex(comparison(short, scores[1:3], "half"), tmp_path / "half.tex")
    _, _, full, none, half = widths(
        tmp_path, ("", "all"), ("", "cost"), (r"\small", "full"), (r"\small", "none"), (r"\small", "half")
    )
    assert none < 1
    assert half < 1
    assert full > 1.5
