"""`mesh init`: writes a commented catalog for a folder of models and a file of players, and loads the players."""

from __future__ import annotations

import argparse
from pathlib import Path

from mesh.catalog.offers_table import OffersTable, read_offers
from mesh.cli import parser
from mesh.cli.features.load import load
from mesh.cli.init.catalog_text import Inputs, catalog_text, text_columns
from mesh.cli.main import DONE
from mesh.cli.publish.version_folder import read_folder
from mesh.errors import Misconfigured
from mesh.players.loading.file import PLAYER_ID, UPDATED_AT, open_file


def run(arguments: argparse.Namespace) -> int:
    """Writes the catalog and loads the players; raises Misconfigured before it writes if an input has faults."""
    catalog: Path = arguments.to
    if catalog.exists():
        raise Misconfigured([f"{catalog}: exists; move it, or give another file with --to"])
    models = read_folder(arguments.models)
    names = open_file(arguments.players).names
    columns = tuple(name for name in names if name not in (PLAYER_ID, UPDATED_AT))
    offers = _offers(arguments.offers)
    inputs = Inputs(arguments.game, catalog.absolute().parent, models, columns, arguments.offers, offers)
    text = catalog_text(inputs)
    try:
        catalog.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Misconfigured([f"{catalog}: {error.strerror}; give a file in a folder that exists with --to"]) from error
    _load(arguments.players, catalog, [name for name in columns if name in text_columns(models)])
    print(f"{catalog}: {len(models)} models; read its comments, then run:")
    print(f"  mesh catalog check {catalog}\n  mesh up {catalog}")
    return DONE


def _offers(path: Path | None) -> OffersTable | None:
    if path is None:
        return None
    offers = read_offers(path)
    if not offers.ids:
        raise Misconfigured([f"{path}: has no offers; add at least one, which becomes the fallback"])
    return offers


def _load(players: Path, catalog: Path, texts: list[str]) -> None:
    """Runs `mesh features load`: codes of categories that are texts, such as "1", must not become numbers."""
    options = [word for name in texts for word in ("--text", name)]
    words = ["features", "load", str(players), "--catalog", str(catalog), *options]
    load(parser.build().parse_args(words))
