"""A page of plots in one HTML file without external resources; requires plotly, which the extra `loadtest` installs."""

from __future__ import annotations

import html
import os
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import mesh
from mesh.errors import Misconfigured
from mesh.plot_figures import WIDE

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

STYLE = """
body{font-family:system-ui,sans-serif;max-width:1280px;margin:2em auto;padding:0 1em;color:#222}
h1{font-size:1.5em;margin-bottom:.4em}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15em 1em;margin:0 0 1em;font-size:.9em}
dt{color:#666}dd{margin:0;overflow-wrap:anywhere}
main{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:1.2em 1em}
main>div{min-width:0}main>.wide{grid-column:1/-1}
"""
CONFIG = {"displaylogo": False, "responsive": True, "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"]}


def origin(program: str, arguments: Sequence[str], now: datetime) -> dict[str, str]:
    """Returns the facts that make a page repeatable: date, version and command; `now` has a time zone."""
    return {
        "Date": f"{now:%Y-%m-%d %H:%M %Z}",
        "Version": f"ensemble-mesh {mesh.__version__}",
        "Command": f"{program} {shlex.join(arguments)}",
    }


def page(title: str, figures: Sequence[Figure], facts: Mapping[str, str]) -> str:
    """Returns the text of the page: a title, the facts, and the figures in two columns.

    A figure with `plot_figures.WIDE` takes both columns.
    """
    parts = [_division(figure, is_first=not number) for number, figure in enumerate(figures)]
    terms = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(fact)}</dd>" for name, fact in facts.items())
    head = f"<meta charset='utf-8'><title>{html.escape(title)}</title><style>{STYLE}</style>"
    body = f"<h1>{html.escape(title)}</h1><dl>{terms}</dl><main>{''.join(parts)}</main>"
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{body}</body></html>\n"


def _division(figure: Figure, *, is_first: bool) -> str:
    text = figure.to_html(full_html=False, include_plotlyjs="inline" if is_first else False, config=CONFIG)
    return f"<div class='{WIDE}'>{text}</div>" if figure.layout.meta == WIDE else f"<div>{text}</div>"


def check_output(file: Path, option: str = "--out") -> None:
    """Raises Misconfigured if plotly is missing or `file` cannot be written; call it before the work.

    `option` is the option that names the file.
    """
    try:
        import plotly  # noqa: F401
    except ImportError:
        fix = f"run `pip install 'plotly>=6'` in the environment of mesh, or omit {option}"
        raise Misconfigured([f"{option}: plotly is not installed; {fix}"]) from None
    if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        raise Misconfigured([f"{option} {file}: cannot be written; choose another file"])


def write(file: Path, text: str, option: str = "--out") -> None:
    """Writes the page to `file`; raises Misconfigured if it cannot be written."""
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Misconfigured([f"{option} {file}: cannot be written: {error.strerror}; choose another file"]) from error
