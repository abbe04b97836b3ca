"""A worker of `mesh up`: a child process that serves the model of a replica."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh.block import HAS_SCHEME
from mesh.catalog.catalog_file import identity_of
from mesh.catalog.served_model import served_model
from mesh.cli.up.child import Child
from mesh.cli.up.plan import Replica
from mesh.process import Event


@dataclass(eq=False, slots=True)
class Worker:
    """The process of one replica, started with `words`. It drains when it is not wanted and no longer needed.

    `inputs` is the inputs file of the last catalog that wanted it: a newer one may lack features that it needs.
    """

    replica: Replica
    words: Sequence[str]
    child: Child
    inputs: Path
    is_wanted: bool = True

    def serves(self, replica: Replica, words: Sequence[str]) -> bool:
        """Returns whether this worker is the process of `replica`: same command, and the file that it read is there."""
        is_same = (self.replica.model_key, self.replica.number) == (replica.model_key, replica.number)
        return is_same and self.words == words and self._has_current_file()

    def _has_current_file(self) -> bool:
        path = file_of(self.replica)
        return path is None or self.child.file_identity in (None, identity_of(path))

    @property
    def served(self) -> str:
        """The file and options of its model; see `served_model`."""
        return served_model(self.replica.model)

    @property
    def address(self) -> str | None:
        """The address for the supervisor's lane; None while the worker does not serve."""
        return lane_address_of(self.child.ready) if self.child.ready else None


def file_of(replica: Replica) -> Path | None:
    """Returns the path of the replica's model; None if it is not a local file."""
    uri = replica.model.uri
    return None if HAS_SCHEME.match(uri) else Path(uri)


def address_of(ready: Event) -> str:
    """Returns the TCP address of a worker."""
    return f"127.0.0.1:{ready['port']}"


def lane_address_of(ready: Event) -> str:
    """Returns the address for the supervisor's lane: the worker's Unix socket if it has one."""
    return f"unix:{ready['socket']}" if "socket" in ready else address_of(ready)
