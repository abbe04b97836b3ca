"""A page of plots: one self-contained HTML file. Plotly is there where it is wanted: the extra `loadtest` has it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mesh.errors import Misconfigured

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

STYLE = "body{font-family:system-ui,sans-serif;max-width:1280px;margin:2em auto;color:#222}"


def page(title: str, figures: Sequence[Figure], remark: str = "") -> str:
    """The page's text: a title, perhaps a remark, and the figures one below the other."""
    parts = [
        figure.to_html(full_html=False, include_plotlyjs="inline" if not number else False)
        for number, figure in enumerate(figures)
    ]
    head = f"<meta charset='utf-8'><title>{html.escape(title)}</title><style>{STYLE}</style>"
    body = f"<h1>{html.escape(title)}</h1><p>{html.escape(remark)}</p>{''.join(parts)}"
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{body}</body></html>\n"


def must_be_possible() -> None:
    """Raises Misconfigured where plotly is not installed: before the work, not after it."""
    try:
        import plotly  # noqa: F401
    except ImportError:
        raise Misconfigured(["--out: the page is drawn by plotly; install it, or leave --out away"]) from None
