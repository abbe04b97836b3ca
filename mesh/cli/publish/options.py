"""The options of `mesh publish`."""

from __future__ import annotations

import argparse
from pathlib import Path

from mesh.cli import parser_parts as parts


def add(publish: argparse.ArgumentParser) -> None:
    """Adds the options to the command."""
    publish.add_argument("folder", type=Path, metavar="VERSION_DIR", help="folder with the models as .txt files")
    to = "prefix of the uploaded objects (default: upload nothing, only write the other files)"
    publish.add_argument("--to", metavar="s3://BUCKET/PREFIX", help=to)
    publish.add_argument("--force", action="store_true", help="replace objects whose content differs")
    proofs = (
        "keep the proofs of the models in DIR, for workers on machines of the same kind (default: the user's cache)"
    )
    publish.add_argument("--proofs", type=Path, metavar="DIR", help=proofs)
    _add_golden(publish)
    reference = "write the distributions of the features and scores of these rows beside the models, for `mesh drift`"
    publish.add_argument("--reference", type=Path, metavar="ROWS", help=f"{reference}; a .parquet file of the training")
    parts.add_quick(publish)
    parts.add_json(publish, "the models as one line of JSON")


def _add_golden(publish: argparse.ArgumentParser) -> None:
    golden = "write golden rows beside the models: rows with scores, in a .parquet file or a folder of MODEL.parquet"
    publish.add_argument("--golden", type=Path, metavar="PATH", help=golden)
    players = "write golden rows of N players of the store of --catalog, scored by LightGBM now"
    publish.add_argument("--golden-players", type=parts.positive, metavar="N", help=players)
    catalog = "catalog of the game, for --golden-players; the printed paths start at its folder"
    publish.add_argument("--catalog", type=Path, metavar="FILE", help=catalog)
    tolerance = "largest difference from an expected score that a worker accepts (default: 0, the same bits)"
    publish.add_argument("--golden-tolerance", type=parts.tolerance, default=0.0, metavar="T", help=tolerance)
