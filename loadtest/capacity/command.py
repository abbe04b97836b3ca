"""`python -m loadtest profile`: measures the rows per second of one replica by batch size, and the cost of a start."""

from __future__ import annotations

import argparse
import datetime
import difflib
import json
import platform
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from autoscaling.capacity_profile import ModelProfile, Profile, SupervisorProfile, by_key, load, merged
from loadtest import interruption
from loadtest.capacity.measure import Extent, drawn_rows, measure
from loadtest.capacity.supervisor import measure_supervisor
from loadtest.errors import CannotMeasure
from loadtest.measurement import machine
from loadtest.options import add_context, add_output, positive_float, positive_int
from loadtest.player_store import question_of, sqlite_path
from mesh.catalog import catalog as catalogs
from mesh.catalog.catalog import Catalog
from mesh.catalog.deployment.workers import Workers, workers_of
from mesh.catalog.files import header_of
from mesh.cli.console import stdout
from mesh.errors import Misconfigured
from mesh.players.sqlite import open_store, read_columns, read_some_players

MEASURED = 0
PLAYERS = 2048
PACKAGES = ("grpcio", "lightgbm", "numpy", "uvloop")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add = parser.add_argument
    add("--catalog", type=Path, default=Path("examples/dragonfall/mesh.yaml"), help="catalog (default %(default)s)")
    add("--version", help="version of the ensemble (default: all versions)")
    add("--model", action="append", default=[], help="name of a model; repeatable")
    add("--all", action="store_true", help="measure every model, and a supervisor")
    add(
        "--batches",
        type=_sizes,
        default=(1, 4, 16, 64, 256, 1024),
        help="rows per message, comma-separated (default 1,4,16,64,256,1024)",
    )
    add("--starts", type=positive_int, default=5, help="number of worker starts (default %(default)s)")
    add(
        "--seconds",
        type=positive_float,
        default=1.5,
        help="duration of each of the two measurements of a batch size (default %(default)s)",
    )
    add_context(parser)
    add_output(parser, Path("build/profile.json"))


def run(options: argparse.Namespace) -> int:
    """Runs the command; the exit code is 0 measured, 2 not measured, 130 interrupted."""
    stderr = Console(stderr=True, highlight=False)
    old = _old(options.out)
    measured = interruption.run(_profile(options, lambda line: stderr.print(line, markup=False)))
    profile = measured if old is None else merged(old, measured)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(profile.as_json() + "\n")
    if options.json:
        print(json.dumps(json.loads(profile.as_json())))
    else:
        for model in measured.models.values():
            stdout().print(_table(model), _summary(model), soft_wrap=True)
        if profile.supervisor is not None:
            stdout().print(_of_supervisor(profile.supervisor), soft_wrap=True)
    return MEASURED


async def _profile(options: argparse.Namespace, progress: Callable[[str], None]) -> Profile:
    catalog = catalogs.load(options.catalog)
    extent = Extent(options.batches, options.starts, options.seconds)
    players, columns = _players(catalog)
    models: list[ModelProfile] = []
    versions = _versions(catalog, options.version)
    for workers in _workers(catalog, versions, options):
        rows = drawn_rows(header_of(workers.model), players, columns, np.random.default_rng(0))
        models.append(await measure(workers.key, workers.model, rows, extent, progress))
    return Profile(
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        machine=machine.described(),
        versions=_packages(),
        models=by_key(models),
        supervisor=await _supervisor(catalog, versions, options, progress) if options.all else None,
    )


async def _supervisor(
    catalog: Catalog, versions: Sequence[str], options: argparse.Namespace, progress: Callable[[str], None]
) -> SupervisorProfile:
    """Measures a supervisor with the version that has the most models."""
    version = max(versions, key=lambda name: len(catalog.versions[name].voters))
    question = question_of(catalog, version, dict(options.context))
    with tempfile.TemporaryDirectory(prefix="loadtest-profile-") as logs:
        models = len(catalog.versions[version].voters)
        return await measure_supervisor(options.catalog, question, models, Path(logs), progress)


def _old(out: Path) -> Profile | None:
    """The profile in `out`, whose other models are kept; raises CannotMeasure if the two would not be comparable."""
    if not out.exists():
        return None
    try:
        old = load(out)
    except Misconfigured as error:
        problem = error.faults[0].partition(";")[0]
        raise CannotMeasure(f"{problem}; give another --out, or remove the file") from error
    for what, was, now in (("machine", old.machine, machine.described()), ("packages", old.versions, _packages())):
        if was != now:
            fix = "give another --out, or remove the file and measure all models"
            raise CannotMeasure(f"{out}: has figures of another {what} ({was}; now {now}); {fix}")
    return old


def _packages() -> dict[str, str]:
    return {"python": platform.python_version(), **{package: metadata.version(package) for package in PACKAGES}}


def _versions(catalog: Catalog, wanted: str | None) -> list[str]:
    known = list(catalog.versions)
    if wanted is not None and wanted not in known:
        raise CannotMeasure(f"{catalog.game} has no version {wanted!r}; it has {', '.join(known)}")
    return known if wanted is None else [wanted]


def _workers(catalog: Catalog, versions: Sequence[str], options: argparse.Namespace) -> Iterator[Workers]:
    """Yields the workers of the chosen models of `versions`; those of a shared member once."""
    found = [one for one in workers_of(catalog) if options.version is None or options.version in one.versions]
    names = list(dict.fromkeys(one.model.name for one in found))
    if not options.all and not options.model:
        raise CannotMeasure(f"set --model or --all; the models are {', '.join(names)}")
    for name in options.model:
        if name not in names:
            likely = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean {likely[0]!r}?" if likely else ";"
            place = f"{catalog.game} {', '.join(versions)}"
            raise CannotMeasure(f"{place} has no model {name!r}{hint} It has {', '.join(names)}")
    yield from (one for one in found if options.all or one.model.name in options.model)


def _players(catalog: Catalog) -> tuple[np.ndarray, tuple[str, ...]]:
    """The numbers of some players [players, columns], and the names of the columns."""
    path = sqlite_path(catalog)
    store = open_store(path)
    columns = read_columns(store).numbers
    packed = [player.numbers for player in read_some_players(store, PLAYERS)]
    if not packed:
        raise CannotMeasure(f"{path}: the store has no players; fill it with `mesh features load`")
    return np.array([np.frombuffer(numbers, "<f8") for numbers in packed]), columns


def _table(model: ModelProfile) -> Table:
    table = Table(title=f"{model.name}: {model.trees} trees, {model.features} features")
    columns = ("rows", "predict p50 ms", "p95", "round trip p50 ms", "p95", "rows per second", "CPU us per row")
    for column in columns:
        table.add_column(column, justify="right")
    for batch in model.batches:
        times = (batch.predict_p50_ms, batch.predict_p95_ms, batch.round_trip_p50_ms, batch.round_trip_p95_ms)
        cells = [f"{value:.2f}" for value in times]
        table.add_row(str(batch.rows), *cells, f"{batch.rows_per_s:,.0f}", f"{batch.cpu_us_per_row:.1f}")
    return table


def _summary(model: ModelProfile) -> str:
    start, curve, capacity = model.start_s, model.curve, model.capacity
    return (
        f"Start to SERVING {start.median:.2f} s ({start.min:.2f} to {start.max:.2f}), {model.start_cpu_s:.2f} s CPU; "
        f"memory {model.pss_mb:.0f} MB (PSS).\n"
        f"A message takes {curve.base_ms:.2f} ms + {curve.row_ms * 1000:.1f} us per row (error {curve.residual:.0%}).\n"
        f"One replica scores {capacity.rows_per_s:,.0f} rows per second in messages of {capacity.at_batch_rows} rows, "
        f"and uses {capacity.cores:.2f} cores.\n"
        f"Idle, it uses {1000 * model.idle_cores:.1f}m. A message of {model.batches[0].rows} rows costs "
        f"{model.batches[0].cpu_us_per_row * model.batches[0].rows:.0f} us of CPU if messages are always queued, and "
        + ", ".join(f"{pause.cpu_us:.0f} us after a pause of {pause.pause_ms:.0f} ms" for pause in model.pauses)
        + ".\n"
    )


def _of_supervisor(found: SupervisorProfile) -> str:
    return (
        f"A supervisor uses {1000 * found.idle_cores:.1f}m idle, {found.message_cpu_us:.0f} us of CPU for each message "
        f"to a replica, and {found.request_cpu_us:.0f} us for each request."
    )


def _sizes(text: str) -> tuple[int, ...]:
    sizes = tuple(sorted({positive_int(part) for part in text.split(",")}))
    if len(sizes) < 2 or sizes[-1] > 4096:
        raise argparse.ArgumentTypeError(f"{text!r}: set at least two sizes, none above 4096")
    return sizes
