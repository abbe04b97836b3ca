"""Where a decision log lies: a folder or a prefix in S3, read as a file system of pyarrow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.fs

from mesh.errors import Misconfigured, NotFound, Unavailable
from mesh.s3.address import SCHEME, ObjectAddress, problem_of
from mesh.s3.filesystem import open_bucket


@dataclass(frozen=True, slots=True)
class Storage:
    """The files below `root`, a path of `filesystem`; `name` is the root as a person writes it."""

    filesystem: pyarrow.fs.FileSystem
    root: str
    name: str

    def folders(self, path: str) -> list[str]:
        """Returns the names of the folders in `path` below the root, sorted; none if there is no such folder."""
        return sorted(info.base_name for info in self._infos(path) if info.type == pyarrow.fs.FileType.Directory)

    def files(self, path: str, suffix: str) -> list[str]:
        """Returns the paths, below the root, of the files in the folder `path` whose names end in `suffix`, sorted.

        Names that begin with `.` or `_` are left out: such files are not complete.
        """
        names = (info.base_name for info in self._infos(path) if info.type == pyarrow.fs.FileType.File)
        return sorted(f"{path}/{name}" for name in names if name.endswith(suffix) and name[0] not in "._")

    def read(self, path: str) -> bytes:
        """Returns the content of a file; raises NotFound if it does not exist."""
        with self.explained(path):
            try:
                with self.filesystem.open_input_stream(self.inside(path)) as stream:
                    return bytes(stream.read())
            except FileNotFoundError:
                raise NotFound(f"{self.named(path)}: is missing; restore it") from None

    def inside(self, path: str) -> str:
        """Returns the path of the file system for `path` below the root."""
        return f"{self.root}/{path}" if path else self.root

    def named(self, path: str) -> str:
        """Returns `path`, below the root, as a person writes it."""
        return f"{self.name}/{path}" if path else self.name

    @contextmanager
    def explained(self, path: str) -> Iterator[None]:
        """Turns the errors of the file system into Unavailable, which names `path`."""
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            text = " ".join(str(error).split())
            raise Unavailable(f"{self.named(path)}: cannot be read: {text}; check the permissions") from error

    def _infos(self, path: str) -> list[pyarrow.fs.FileInfo]:
        selector = pyarrow.fs.FileSelector(self.inside(path), allow_not_found=True)
        with self.explained(path):
            return list(self.filesystem.get_file_info(selector))


def open_storage(where: str) -> Storage:
    """Opens a folder or `s3://BUCKET/PREFIX`. Raises Misconfigured, and Unavailable if S3 does not answer."""
    if where.startswith(SCHEME):
        bucket, _, prefix = where.removeprefix(SCHEME).strip("/").partition("/")
        if not bucket:
            raise Misconfigured([f"{where}: has no bucket; write s3://BUCKET/PREFIX"])
        if (problem := problem_of(bucket, prefix)) is not None:
            raise Misconfigured([f"{where}: {problem}"])
        root = f"{bucket}/{prefix}".rstrip("/")
        return Storage(open_bucket(ObjectAddress(bucket, prefix)), root, SCHEME + root)
    if "://" in where:
        raise Misconfigured([f"{where}: has an unknown scheme; give a folder or s3://BUCKET/PREFIX"])
    folder = Path(where)
    if not folder.is_dir():
        problem = "is a file" if folder.exists() else "does not exist"
        raise Misconfigured([f"{where}: {problem}; give the folder of `decisions.to`, or s3://BUCKET/PREFIX"])
    return Storage(pyarrow.fs.LocalFileSystem(), str(folder.absolute()), where.rstrip("/") or "/")
