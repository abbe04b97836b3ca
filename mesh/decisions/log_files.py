"""The Parquet files of a table of the decision log: those in a range of time, checked, as a dataset of pyarrow."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from mesh.decisions.schema import SCHEMA_VERSION, VERSION_KEY
from mesh.decisions.storage import Storage
from mesh.errors import Misconfigured

_HOUR = timedelta(hours=1)
_READS = 16  # footers that are read at the same time: most of their time is the latency of S3
_MAX_FAULTS = 20
_FORMAT = ds.ParquetFileFormat(default_fragment_scan_options=ds.ParquetFragmentScanOptions(pre_buffer=True))
_FIX = "move it out of the log, or restore it"


def paths(storage: Storage, table: str, game: str, since: datetime | None, until: datetime | None) -> list[str]:
    """Returns the files with rows from `since` to before `until`, by the hours in their paths; None: without a limit.

    `table` is `decisions` or `outcomes`. The files of the first and the last hour may have rows outside of the range.
    """
    return list(
        itertools.chain.from_iterable(
            storage.files(folder, ".parquet") for folder in _hours(storage, f"{table}/game={game}", since, until)
        )
    )


def _hours(storage: Storage, folder: str, since: datetime | None, until: datetime | None) -> Iterator[str]:
    for date in storage.folders(folder):
        day = _begin(date, "hour=00")
        if day is None or not _overlap(day, timedelta(days=1), since, until):
            continue
        for hour in storage.folders(f"{folder}/{date}"):
            begin = _begin(date, hour)
            if begin is not None and _overlap(begin, _HOUR, since, until):
                yield f"{folder}/{date}/{hour}"


def _overlap(begin: datetime, length: timedelta, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or begin + length > since) and (until is None or begin < until)


def _begin(date: str, hour: str) -> datetime | None:
    """The begin of the hour that the names of two folders mean; None for other folders."""
    if not re.fullmatch(r"hour=\d\d", hour):
        return None
    try:
        return datetime.strptime(f"{date} {hour}", "date=%Y-%m-%d hour=%H").replace(tzinfo=UTC)
    except ValueError:
        return None


def hour_of(path: str) -> datetime:
    """Returns the begin of the hour of a file of `paths`."""
    *_, date, hour, _ = path.split("/")
    begin = _begin(date, hour)
    assert begin is not None, f"not a path of `paths`: {path}"
    return begin


def dataset(storage: Storage, files: Sequence[str], schema: pa.Schema) -> ds.Dataset:
    """Returns the rows of `files` with the columns of `schema`: missing columns are null, unknown ones are left out.

    Raises Misconfigured with the faults of all files that are damaged, or are not of this log.
    """
    fragments = [_FORMAT.make_fragment(storage.inside(path), storage.filesystem) for path in files]
    with ThreadPoolExecutor(_READS) as pool:
        found = pool.map(_fault_of, fragments, itertools.repeat(schema))
        faults = [f"{storage.named(path)}: {fault}" for path, fault in zip(files, found, strict=True) if fault]
    if faults:
        more = [f"and {len(faults) - _MAX_FAULTS} other files"] if len(faults) > _MAX_FAULTS else []
        raise Misconfigured(faults[:_MAX_FAULTS] + more)
    return ds.FileSystemDataset(fragments, schema, _FORMAT, storage.filesystem)


def damaged(storage: Storage, files: Sequence[str]) -> list[str]:
    """Reads `files` as a whole, and returns the faults of those that cannot be read."""
    faults = []
    for path in files:
        try:
            with storage.filesystem.open_input_file(storage.inside(path)) as file:
                for _ in pq.ParquetFile(file).iter_batches():
                    pass
        except (OSError, pa.ArrowException) as error:
            faults.append(f"{storage.named(path)}: is damaged: {_one_line(error)}; {_FIX}")
    return faults


def _fault_of(fragment: ds.ParquetFileFragment, schema: pa.Schema) -> str | None:
    """Reads the footer, which the scan uses again, and compares it with the schema."""
    try:
        fragment.ensure_complete_metadata()
        found: pa.Schema = fragment.physical_schema
    except (OSError, pa.ArrowException) as error:
        return f"is not a readable Parquet file: {_one_line(error)}; {_FIX}"
    version = (found.metadata or {}).get(VERSION_KEY.encode())
    if version is None:
        return f"is not a file of a decision log: its schema has no {VERSION_KEY}; {_FIX}"
    if not version.isdigit() or int(version) > SCHEMA_VERSION:
        return f"has schema version {version.decode()}, this program reads up to {SCHEMA_VERSION}; install a newer one"
    if found.equals(schema):
        return None
    for field in schema:
        at = found.get_field_index(field.name)
        if at >= 0 and not _fits(found.field(at).type, field.type):
            return f"column {field.name} has the type {found.field(at).type}, not {field.type}; {_FIX}"
    return None


def _fits(found: pa.DataType, wanted: pa.DataType) -> bool:
    # The names of the items of a list differ between writers ("item", "element").
    plain = found.value_type if pa.types.is_dictionary(found) else found
    return bool(plain.equals(wanted)) or (pa.types.is_nested(plain) and pa.types.is_nested(wanted))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
