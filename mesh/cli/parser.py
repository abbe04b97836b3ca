"""Command line of `mesh`: the commands, their options and the defaults."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mesh import __version__
from mesh.cli import parser_parts as parts
from mesh.cli.catalog import check_options
from mesh.cli.compare import options as compare_options
from mesh.cli.decisions import options as decision_options
from mesh.cli.drift import options as drift_options
from mesh.cli.explain import options as explain_options
from mesh.cli.hpa import record_options, simulation_options
from mesh.cli.k8s import render_options
from mesh.cli.offers import options as offer_options
from mesh.cli.outcomes import options as outcome_options
from mesh.cli.publish import options as publish_options
from mesh.cli.top import options as top_options
from mesh.cli.verify import options as verify_options
from mesh.tls import client_options
from mesh.tracing import options as tracing

if TYPE_CHECKING:
    from mesh.cli.parser_parts import Commands

ADDRESS = "127.0.0.1:7000"
METRICS = "127.0.0.1:9100"


def build() -> argparse.ArgumentParser:
    """Returns the parser. The attribute `command` of its result is the `module:function` to run."""
    parser = argparse.ArgumentParser(
        prog="mesh", description="Serves ensembles of LightGBM models. One catalog file per game describes them."
    )
    parser.add_argument("--version", action="version", version=f"ensemble-mesh {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_init(commands)
    _add_up(commands)
    _add_offer(commands)
    _add_score(commands)
    outcome_options.add(commands, ADDRESS)
    top_options.add(commands, METRICS)
    _add_status(commands)
    compare_options.add(commands, METRICS)
    decision_options.add(commands)
    drift_options.add(commands, METRICS)
    _add_features(commands)
    _add_catalog(commands)
    _add_traffic(commands)
    _add_rollout(commands)
    _add_publish(commands)
    _add_verify(commands)
    _add_explain(commands)
    _add_k8s(commands)
    _add_hpa(commands)
    return parser


def _add_init(commands: Commands) -> None:
    about = "write a commented catalog for a folder of models and a file of players, and load the players"
    init = parts.command(commands, "init", "mesh.cli.init.command:run", about)
    init.add_argument("models", type=Path, metavar="MODELS_DIR", help="folder with the models as .txt files")
    init.add_argument("players", type=Path, metavar="PLAYERS", help=".csv or .parquet file with a column player_id")
    init.add_argument("--game", default="game", metavar="NAME", help="name of the game (default: %(default)s)")
    init.add_argument("--offers", type=Path, metavar="FILE", help=".csv file with the columns offer_id and price")
    default = "catalog to write (default: %(default)s)"
    init.add_argument("--to", type=Path, default=Path("mesh.yaml"), metavar="FILE", help=default)


def _add_up(commands: Commands) -> None:
    up = parts.command(commands, "up", "mesh.cli.up.command:run", "run a mesh on this machine until Ctrl-C")
    up.add_argument("files", nargs="+", type=Path, metavar="FILE", help="catalog of a game to serve")
    up.add_argument("--replicas", type=parts.positive, default=1, metavar="N", help="workers per model (default: 1)")
    up.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    up.add_argument(
        "--port",
        type=parts.port,
        default=7000,
        help="port of the supervisor; 0 picks a free port (default: %(default)s)",
    )
    up.add_argument(
        "--metrics-port",
        type=parts.port,
        default=9100,
        metavar="PORT",
        help="port of the supervisor's metrics; 0 picks a free port (default: %(default)s)",
    )
    up.add_argument(
        "--engine", choices=("auto", "lightgbm"), help="scoring engine of all workers (default: set by the catalog)"
    )
    up.add_argument(
        "--loop",
        choices=("uvloop", "asyncio"),
        default="uvloop",
        help="event loop of all processes (default: %(default)s)",
    )
    about = "connections with TLS, by a throw-away CA and certificates of it, which the mesh removes at its end"
    up.add_argument("--tls", action="store_true", help=about)
    tracing.add_options(up)
    parts.add_json(up, "one line of JSON when the mesh is ready")


def _add_offer(commands: Commands) -> None:
    about = "request the best offers for a player"
    offer_options.add_offer(parts.command(commands, "offer", "mesh.cli.offers.command:offer", about), ADDRESS)


def _add_score(commands: Commands) -> None:
    about = "request the ensemble's score for a player"
    offer_options.add_score(parts.command(commands, "score", "mesh.cli.offers.command:score", about), ADDRESS)


def _add_status(commands: Commands) -> None:
    about = "show the answers, latencies, lanes and cohorts of a running mesh, every second until Ctrl-C"
    status = parts.command(commands, "status", "mesh.cli.status.command:run", about)
    status.add_argument(
        "--metrics",
        default=METRICS,
        metavar="ADDRESS",
        help="address of the supervisor's metrics (default: %(default)s)",
    )
    named = "show only the models whose GAME/VERSION/MODEL contains TEXT"
    status.add_argument("--filter", default="", metavar="TEXT", help=named)
    status.add_argument("--once", action="store_true", help="show the status one time and exit")
    parts.add_json(status, "each status as one line of JSON")
    client_options.add_metrics_options(status)


def _add_features(commands: Commands) -> None:
    features = parts.group(commands, "features", "load and show player features")
    load = parts.command(
        features, "load", "mesh.cli.features.load:load", "load player features from a file into the store"
    )
    load.add_argument("file", type=Path, metavar="FILE", help=".csv or .parquet file with a column player_id")
    _add_store(load)
    load.add_argument(
        "--text",
        action="append",
        default=[],
        metavar="COLUMN",
        help="column to load as text, not as numbers; repeatable",
    )
    load.add_argument(
        "--empty-text",
        action="append",
        default=[],
        metavar="COLUMN",
        help="CSV: load the empty cells of this text column as the empty text, not as missing; repeatable",
    )
    load.add_argument(
        "--force",
        action="store_true",
        help="load even if the columns do not fit the game's models; DynamoDB: replace the table's columns",
    )
    load.add_argument("--create", action="store_true", help="DynamoDB: create the table if it does not exist")
    load.add_argument("--from-start", action="store_true", help="DynamoDB: do not resume an interrupted load")
    parts.add_json(load, "one line of JSON when the load is complete")
    get = parts.command(
        features, "get", "mesh.cli.features.get:get", "show a player's features as the supervisor reads them"
    )
    get.add_argument("player", metavar="PLAYER", help="id of the player")
    _add_store(get)
    parts.add_json(get, "the player as one line of JSON")


def _add_store(command: argparse.ArgumentParser) -> None:
    command.add_argument("--catalog", type=Path, required=True, metavar="FILE", help="catalog that names the store")


def _add_catalog(commands: Commands) -> None:
    catalog = parts.group(commands, "catalog", "check catalog files")
    check = parts.command(catalog, "check", "mesh.cli.catalog.command:check", "report all faults of catalog files")
    check_options.add_to(check)
    parts.add_json(check, "the faults as one line of JSON")
    parts.command(catalog, "schema", "mesh.cli.catalog.command:schema", "print the JSON Schema of a catalog")


def _add_traffic(commands: Commands) -> None:
    about = "change the traffic of a game's versions in its catalog file"
    traffic = parts.command(commands, "traffic", "mesh.cli.traffic.command:run", about)
    traffic.add_argument("file", type=Path, metavar="FILE", help="catalog of the game")
    share = "version and its percent of the players; the other versions share the remainder as they do now"
    traffic.add_argument("shares", nargs="+", type=parts.share, metavar="VERSION=PERCENT", help=share)
    parts.add_json(traffic, "the shares before and after as one line of JSON")


def _add_rollout(commands: Commands) -> None:
    about = "show where the rollout of a game stands, and its steps"
    rollout = parts.command(commands, "rollout", "mesh.cli.rollout.command:run", about)
    rollout.add_argument("file", type=Path, metavar="FILE", help="catalog of the game")
    parts.add_json(rollout, "the rollout as one line of JSON")


def _add_publish(commands: Commands) -> None:
    about = "upload the models of a version to S3, with golden rows that their workers replay"
    publish_options.add(parts.command(commands, "publish", "mesh.cli.publish.command:run", about))


def _add_verify(commands: Commands) -> None:
    about = "compare a running version with LightGBM; exit code 1 if a score differs"
    verify_options.add(parts.command(commands, "verify", "mesh.cli.verify.command:run", about), ADDRESS)


def _add_explain(commands: Commands) -> None:
    about = "explain the score of an offer: the contributions of the features (SHAP values)"
    explain_options.add(parts.command(commands, "explain", "mesh.cli.explain.command:run", about))


def _add_k8s(commands: Commands) -> None:
    k8s = parts.group(commands, "k8s", "render a game for Kubernetes, and compare it with its cluster")
    _add_k8s_render(k8s)
    about = "show which HPAs a catalog would change; exit code 1 if any; warn of players without models"
    diff = parts.command(k8s, "diff", "mesh.cli.k8s.diff:run", about)
    diff.add_argument("file", type=Path, metavar="FILE", help="catalog of the game")
    rendered = "compare with the rendered chart in DIR/GAME (default: %(default)s)"
    diff.add_argument("--rendered", type=Path, default=Path("k8s/rendered"), metavar="DIR", help=rendered)
    diff.add_argument("--live", action="store_true", help="compare with the live cluster, read with kubectl")
    namespace = "namespace of the game, for --live (default: that of kubectl)"
    diff.add_argument("--namespace", "-n", metavar="NS", help=namespace)
    context = "context of the kubeconfig, for --live (default: the current context)"
    diff.add_argument("--context", metavar="NAME", help=context)
    kubectl = "kubectl program to run, for --live (default: %(default)s)"
    diff.add_argument("--kubectl", default="kubectl", metavar="PROGRAM", help=kubectl)
    parts.add_json(diff, "the changes as one line of JSON")


def _add_k8s_render(k8s: Commands) -> None:
    about = "render the Helm chart for a catalog (needs Helm)"
    render = parts.command(k8s, "render", "mesh.cli.k8s.render:run", about)
    render_options.add_to(render)


def _add_hpa(commands: Commands) -> None:
    hpa = parts.group(commands, "hpa", "simulate, tune and explain the HPAs of a catalog before you apply them")
    _add_hpa_simulate(hpa)
    _add_hpa_tune(hpa)
    _add_hpa_explain(hpa)
    _add_hpa_record(hpa)
    _add_hpa_replay(hpa)


def _add_hpa_simulate(hpa: Commands) -> None:
    simulate = parts.command(hpa, "simulate", "mesh.cli.hpa.simulate:run", "simulate a load: replicas, answers, costs")
    simulation_options.add(simulate)
    seeds = "number of random seeds to simulate (default: 1)"
    simulate.add_argument("--seeds", type=parts.positive, default=1, metavar="N", help=seeds)
    fixed = "also simulate without HPAs, with as many replicas all day as at the peak"
    simulate.add_argument("--fixed", action="store_true", help=fixed)
    page = "HTML page to write: plots, and an explanation of each decision"
    simulate.add_argument("--out", type=Path, metavar="FILE", help=page)
    parts.add_json(simulate, "all results as one line of JSON")


def _add_hpa_tune(hpa: Commands) -> None:
    tune = parts.command(hpa, "tune", "mesh.cli.hpa.tune:run", "find the cheapest HPAs that meet an SLO, as a patch")
    simulation_options.add(tune)
    slo = "objectives, for example p95=150ms,full=99.9%%,answered=99.99%%"
    tune.add_argument("--slo", required=True, metavar="SLO", help=slo)
    seeds = "number of random seeds for which the SLO must hold (default: 2)"
    tune.add_argument("--seeds", type=parts.positive, default=2, metavar="N", help=seeds)
    tune.add_argument("--out", type=Path, metavar="FILE", help="HTML page to write: cost against full answers")
    parts.add_json(tune, "the result as one line of JSON")


def _add_hpa_record(hpa: Commands) -> None:
    about = "record the decisions of a cluster's HPA controller"
    record_options.add(parts.command(hpa, "record", "mesh.cli.hpa.record:run", about))


def _add_hpa_replay(hpa: Commands) -> None:
    about = "compare recorded decisions with the engine; exit code 1 if any differ"
    replay = parts.command(hpa, "replay", "mesh.cli.hpa.replay:run", about)
    replay.add_argument("traces", nargs="+", type=Path, metavar="TRACE", help="trace, a .json or .json.gz file")
    _add_kubernetes(replay)
    parts.add_json(replay, "the differences as one line of JSON")


def _add_hpa_explain(hpa: Commands) -> None:
    explain = parts.command(hpa, "explain", "mesh.cli.hpa.explain:run", "explain one decision step by step")
    simulation_options.add(explain, required=False)
    explain.add_argument("--model", metavar="NAME", help="model of the catalogs, or `supervisor`")
    version = "version of the model (default: the first version that has the model)"
    explain.add_argument("--version", default="", metavar="V", help=version)
    explain.add_argument("--trace", type=Path, metavar="FILE", help="trace to explain, instead of a catalog and a load")
    result = "output of `simulate --json` to explain, instead of a catalog and a load"
    explain.add_argument("--result", type=Path, metavar="FILE", help=result)
    at = "time of the decision: HH:MM, HH:MM:SS, or seconds from the start of the load or the trace"
    explain.add_argument("--at", required=True, metavar="TIME", help=at)
    _add_kubernetes(explain)
    parts.add_json(explain, "the explanation as one line of JSON")


def _add_kubernetes(command: argparse.ArgumentParser) -> None:
    about = "Kubernetes version of the rules, for example 1.32 (default: that of the trace)"
    command.add_argument("--kubernetes", metavar="VERSION", help=about)
