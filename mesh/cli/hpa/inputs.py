"""What the commands of `mesh hpa` are given: catalogs, loads, profile, world; faults are told before the work."""

from __future__ import annotations

import argparse
import math

from autoscaling import capacity_profile
from autoscaling.cluster import load_reader, model_costs
from autoscaling.cluster.games import Settings, places
from autoscaling.cluster.load import Load
from autoscaling.cluster.runs import Input
from mesh.catalog import catalog as catalogs
from mesh.catalog.catalog import Catalog
from mesh.errors import Misconfigured


def read(arguments: argparse.Namespace) -> Input:
    """The input of a simulation; raises Misconfigured with every fault that can be seen."""
    found = [catalogs.load(file) for file in arguments.catalogs]
    games = list(zip(found, _loads(found, arguments.load), strict=True))
    profile = None if arguments.profile is None else capacity_profile.load(arguments.profile)
    names = [place for catalog in found for place in places(catalog)]
    return Input(games, model_costs.of_models(names, profile), _settings(arguments))


def remark(arguments: argparse.Namespace) -> str:
    """What the figures rest on."""
    known = f"costs from {arguments.profile}" if arguments.profile else "no --profile: costs of a model are assumed"
    room = "room on the nodes for every pod" if arguments.cores is None else f"nodes of {arguments.cores:g} cores"
    return f"{known}; {arguments.offers} offers a request; {room}; seed {arguments.seed}"


def _loads(found: list[Catalog], texts: list[str]) -> list[Load]:
    """One for each game: `GAME=LOAD`, or a plain one for all games that are not named."""
    known = {catalog.game for catalog in found}
    named = {text.partition("=")[0]: text.partition("=")[2] for text in texts if text.partition("=")[0] in known}
    plain = [text for text in texts if text.partition("=")[0] not in known]
    if len(plain) > 1:
        raise Misconfigured(
            [f"--load {plain[1]}: is the second for all games; give GAME=LOAD, games: {', '.join(known)}"]
        )
    missing = [catalog.game for catalog in found if catalog.game not in named] if not plain else []
    if missing:
        raise Misconfigured([f"--load: {missing[0]} has none; give --load {missing[0]}=LOAD, or one for all games"])
    return [load_reader.read(named.get(catalog.game, plain[0] if plain else "")) for catalog in found]


def _settings(arguments: argparse.Namespace) -> Settings:
    return Settings(
        offers=arguments.offers,
        cores=math.inf if arguments.cores is None else arguments.cores,
        image_s=arguments.image_s,
        seed=arguments.seed,
        api_down=tuple(arguments.api_down),
    )
