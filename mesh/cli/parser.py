"""What can be written after `mesh`: commands, flags, defaults."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mesh import __version__
from mesh.cli.hpa import record_options, world_options

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

ADDRESS = "127.0.0.1:7000"
METRICS = "127.0.0.1:9100"


def build() -> argparse.ArgumentParser:
    """The parser; `command` of its result is the `module:function` that does the work."""
    parser = argparse.ArgumentParser(
        prog="mesh", description="Serves ensembles of LightGBM models: one catalog file says what."
    )
    parser.add_argument("--version", action="version", version=f"ensemble-mesh {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_up(commands)
    _add_offer(commands)
    _add_score(commands)
    _add_status(commands)
    _add_features(commands)
    _add_catalog(commands)
    _add_publish(commands)
    _add_k8s(commands)
    _add_hpa(commands)
    return parser


def _add_up(commands: Commands) -> None:
    up = _command(commands, "up", "mesh.cli.up.command:run", "run games on this machine until Ctrl-C")
    up.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a game's catalog")
    up.add_argument("--replicas", type=_positive, default=1, metavar="N", help="workers per model (default: 1)")
    up.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    up.add_argument("--port", type=_port, default=7000, help="of the supervisor; 0: any (default: %(default)s)")
    up.add_argument("--metrics-port", type=_port, default=9100, metavar="PORT", help="(default: %(default)s)")
    up.add_argument("--engine", choices=("auto", "lightgbm"), help="of all workers (default: what the catalogs say)")
    up.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop", help="(default: %(default)s)")
    _add_json(up, "one line when everything is ready")


def _add_offer(commands: Commands) -> None:
    offer = _command(commands, "offer", "mesh.cli.offers.command:offer", "ask for a player's best offers")
    _add_request(offer)
    offer.add_argument("--offer", action="append", default=[], metavar="ID", help="a candidate (default: all)")
    offer.add_argument("--limit", type=_positive, default=1, metavar="N", help="offers to return (default: 1)")


def _add_score(commands: Commands) -> None:
    score = _command(commands, "score", "mesh.cli.offers.command:score", "ask for the ensemble's score of a player")
    _add_request(score)
    score.add_argument("--offer", default="", metavar="ID", help="the offer to score (default: the fallback)")


def _add_request(command: argparse.ArgumentParser) -> None:
    command.add_argument("--game", required=True)
    command.add_argument("--player", required=True, metavar="ID")
    command.add_argument(
        "--context",
        action="append",
        default=[],
        metavar="K=V",
        help="a feature known only now: true, false, a number or a text (in quotes: always a text)",
    )
    command.add_argument("--version", default="", metavar="V", help="pins a version of the game")
    command.add_argument("--address", default=ADDRESS, help="of the supervisor (default: %(default)s)")
    command.add_argument("--deadline-ms", type=_milliseconds, metavar="N", help="(default: the game's budget)")
    _add_json(command, "the answer as one line of JSON")


def _add_status(commands: Commands) -> None:
    status = _command(commands, "status", "mesh.cli.status.command:run", "watch the panel, lanes, cohorts and rates")
    status.add_argument("--metrics", default=METRICS, metavar="ADDRESS", help="(default: %(default)s)")
    status.add_argument("--once", action="store_true", help="one look, then end")
    _add_json(status, "one line of JSON for each look")


def _add_features(commands: Commands) -> None:
    features = _group(commands, "features", "the store of player features")
    load = _command(features, "load", "mesh.cli.features.load:load", "fill a game's store from a file")
    load.add_argument("file", type=Path, metavar="FILE", help="a .csv or .parquet file with a column player_id")
    load.add_argument("--catalog", type=Path, required=True, metavar="FILE", help="names the store")
    load.add_argument(
        "--text", action="append", default=[], metavar="COLUMN", help="a column that is text even where it has digits"
    )
    load.add_argument("--force", action="store_true", help="load even what the game's models cannot be served from")
    load.add_argument("--create", action="store_true", help="DynamoDB: make the table if it is not there")
    load.add_argument("--from-start", action="store_true", help="DynamoDB: do not go on with a load that broke off")
    _add_json(load, "one line when it is done")
    get = _command(features, "get", "mesh.cli.features.get:get", "show a player as the supervisor sees it")
    get.add_argument("player", metavar="PLAYER", help="the player's id")
    get.add_argument("--catalog", type=Path, required=True, metavar="FILE", help="names the store")
    _add_json(get, "the player as one line of JSON")


def _add_catalog(commands: Commands) -> None:
    catalog = _group(commands, "catalog", "the files that say what is served")
    check = _command(catalog, "check", "mesh.cli.catalog.command:check", "report everything that is wrong in a catalog")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE")
    _add_json(check, "one line of JSON")
    _command(catalog, "schema", "mesh.cli.catalog.command:schema", "print the JSON Schema of a catalog")


def _add_publish(commands: Commands) -> None:
    publish = _command(commands, "publish", "mesh.cli.publish.command:run", "upload a version's models to S3")
    publish.add_argument("folder", type=Path, metavar="VERSION_DIR", help="its .txt files are the models")
    publish.add_argument("--to", required=True, metavar="s3://BUCKET/PREFIX", help="where they go, by file name")
    publish.add_argument("--force", action="store_true", help="replace objects that have other content")
    _add_json(publish, "the models as one line of JSON")


def _add_k8s(commands: Commands) -> None:
    k8s = _group(commands, "k8s", "a game in the cluster")
    diff = _command(k8s, "diff", "mesh.cli.k8s_diff:run", "show which HPAs a catalog would change; 1 if any")
    diff.add_argument("file", type=Path, metavar="FILE", help="the game's catalog")
    diff.add_argument(
        "--rendered",
        type=Path,
        default=Path("k8s/rendered"),
        metavar="DIR",
        help="compare with DIR/GAME (default: %(default)s)",
    )
    diff.add_argument("--live", action="store_true", help="compare with the cluster that kubectl reaches")
    diff.add_argument("--namespace", "-n", metavar="NS", help="live: the game's (default: kubectl's)")
    diff.add_argument("--context", metavar="NAME", help="live: of the kubeconfig (default: the current)")
    diff.add_argument("--kubectl", default="kubectl", metavar="PROGRAM", help="live: (default: %(default)s)")
    _add_json(diff, "the changes as one line of JSON")


def _add_hpa(commands: Commands) -> None:
    hpa = _group(commands, "hpa", "what a catalog's HPAs will do, before they are applied")
    simulate = _command(hpa, "simulate", "mesh.cli.hpa.simulate:run", "a load over time: replicas, answers, costs")
    world_options.add(simulate)
    simulate.add_argument("--seeds", type=_positive, default=1, metavar="N", help="by other luck, too (default: 1)")
    simulate.add_argument("--fixed", action="store_true", help="beside it: fixed replicas, as many as at the peak")
    simulate.add_argument("--out", type=Path, metavar="FILE", help="a page of plots, each decision with its reason")
    _add_json(simulate, "everything as one line of JSON")
    tune = _command(hpa, "tune", "mesh.cli.hpa.tune:run", "the cheapest HPAs that keep a promise, as a patch")
    world_options.add(tune)
    tune.add_argument("--slo", required=True, metavar="WORDS", help="such as p95=150ms,full=99.9%%,answered=99.99%%")
    tune.add_argument("--seeds", type=_positive, default=2, metavar="N", help="that each must hold for (default: 2)")
    tune.add_argument("--out", type=Path, metavar="FILE", help="a page with the frontier of cost against promise")
    _add_json(tune, "what was found as one line of JSON")
    _add_hpa_explain(hpa)
    record_options.add(
        _command(hpa, "record", "mesh.cli.hpa.record:run", "write down what a cluster's controller decides")
    )
    replay = _command(hpa, "replay", "mesh.cli.hpa.replay:run", "decide recorded ticks again; 1 if any differs")
    replay.add_argument("traces", nargs="+", type=Path, metavar="TRACE", help="a .json or .json.gz file")
    _add_kubernetes(replay)
    _add_json(replay, "the differences as one line of JSON")


def _add_hpa_explain(hpa: Commands) -> None:
    explain = _command(hpa, "explain", "mesh.cli.hpa.explain:run", "show one decision step by step")
    world_options.add(explain, required=False)
    explain.add_argument("--model", metavar="NAME", help="a model of the catalogs, or supervisor")
    explain.add_argument("--version", default="", metavar="V", help="the model's (default: the first that has it)")
    explain.add_argument("--trace", type=Path, metavar="FILE", help="recorded ticks, instead of a catalog and a load")
    explain.add_argument("--result", type=Path, metavar="FILE", help="what `simulate --json` wrote, instead of them")
    explain.add_argument("--at", required=True, metavar="TIME", help="HH:MM, HH:MM:SS, or seconds from the beginning")
    _add_kubernetes(explain)
    _add_json(explain, "the lines as one line of JSON")


def _add_kubernetes(command: argparse.ArgumentParser) -> None:
    command.add_argument("--kubernetes", metavar="VERSION", help="whose rules, such as 1.32 (default: the trace's)")


def _group(commands: Commands, name: str, about: str) -> Commands:
    group = commands.add_parser(name, help=about, description=_sentence(about))
    return group.add_subparsers(title="commands", metavar="COMMAND", required=True)


def _command(commands: Commands, name: str, place: str, about: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=about, description=_sentence(about))
    command.set_defaults(command=place)
    return command


def _add_json(command: argparse.ArgumentParser, what: str) -> None:
    command.add_argument("--json", action="store_true", help=f"for programs: {what}")


def _sentence(about: str) -> str:
    return about[0].upper() + about[1:] + "."


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 1")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, 0 to 65535")
    return int(text)


def _milliseconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 3_600_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of milliseconds above 0")
    return value
