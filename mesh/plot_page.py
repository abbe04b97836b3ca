"""A page of plots in one HTML file without external resources; requires plotly, which the extra `loadtest` installs."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mesh.errors import Misconfigured

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

STYLE = "body{font-family:system-ui,sans-serif;max-width:1280px;margin:2em auto;color:#222}"


def page(title: str, figures: Sequence[Figure], remark: str = "") -> str:
    """Returns the text of the page: a title, an optional remark, and the figures one below the other."""
    parts = [
        figure.to_html(full_html=False, include_plotlyjs="inline" if not number else False)
        for number, figure in enumerate(figures)
    ]
    head = f"<meta charset='utf-8'><title>{html.escape(title)}</title><style>{STYLE}</style>"
    body = f"<h1>{html.escape(title)}</h1><p>{html.escape(remark)}</p>{''.join(parts)}"
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{body}</body></html>\n"


def check_output(file: Path) -> None:
    """Raises Misconfigured if plotly is missing or `file` cannot be written; call it before the work."""
    try:
        import plotly  # noqa: F401
    except ImportError:
        fix = "run `pip install 'plotly>=6'` in the environment of mesh, or omit --out"
        raise Misconfigured([f"--out: plotly is not installed; {fix}"]) from None
    if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        raise Misconfigured([f"--out {file}: cannot be written; choose another file"])


def write(file: Path, text: str) -> None:
    """Writes the page to `file`; raises Misconfigured if it cannot be written."""
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Misconfigured([f"--out {file}: cannot be written: {error.strerror}; choose another file"]) from error
