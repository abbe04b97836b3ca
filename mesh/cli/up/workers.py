"""The workers of one `mesh up`: those that the catalogs want, and those that leave when others have replaced them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mesh.cli.up.child import Child, Watcher
from mesh.cli.up.endpoints import EndpointsFile
from mesh.cli.up.plan import Options, Replica, worker_command, worker_words
from mesh.cli.up.worker import Worker, file_of

Model = tuple[str, str, str]  # game, version, name


class Workers:
    """Starts, through `start`, a worker for each wanted replica; keeps the endpoints file of those that serve."""

    def __init__(self, options: Options, folder: Path, watcher: Watcher, start: Callable[[Child], None]) -> None:
        self.endpoints = EndpointsFile(folder / "endpoints.json")
        self._options = options
        self._folder = folder
        self._watcher = watcher
        self._start = start
        self._numbers = itertools.count()
        self._workers: dict[Child, Worker] = {}
        self._inputs: dict[str, Path] = {}  # by game
        self._inputs_numbers = itertools.count()

    def __iter__(self) -> Iterator[Worker]:
        return iter(self._workers.values())

    def __contains__(self, child: Child) -> bool:
        return child in self._workers

    @property
    def superseded(self) -> list[Worker]:
        """The workers that are not wanted, but that the supervisor may still ask."""
        return [worker for worker in self if not worker.is_wanted]

    def want(self, replicas: Sequence[Replica]) -> list[Worker]:
        """Starts the missing workers of `replicas`; the others are superseded. Returns the started workers.

        A worker is replaced if its command changes, or the identity of its file. A worker that refused its model starts
        again.
        """
        for worker in self:
            worker.is_wanted = False
        started = [added for replica in replicas if (added := self._keep_or_add(replica)) is not None]
        self.write_endpoints()
        for worker in started:
            self._start(worker.child)
        return started

    def write_inputs(self, game: str, text: str) -> None:
        """Writes the inputs file of the workers that `want` will name; the others keep that of their catalog."""
        if game in self._inputs and self._inputs[game].read_text() == text:
            return
        path = self._inputs[game] = self._folder / f"{game}.{next(self._inputs_numbers)}.inputs.json"
        path.write_text(text)

    def forget(self, workers: Sequence[Worker]) -> None:
        """Takes `workers` out of the endpoints file, so that the supervisor asks them no more."""
        for worker in workers:
            del self._workers[worker.child]
        self.write_endpoints()

    def write_endpoints(self) -> None:
        """Writes the addresses of the workers that serve."""
        self.endpoints.write(self)

    def replaced(self, lanes_up: Counter[Model]) -> list[Worker]:
        """Returns the superseded workers whose successors serve, and have lanes; `lanes_up` counts those of each model.

        The supervisor must have put the catalog in force in which they are not wanted.
        """
        return [worker for worker in self.superseded if self._is_replaced(worker, lanes_up)]

    def _is_replaced(self, old: Worker, lanes_up: Counter[Model]) -> bool:
        model = old.replica.model_key
        workers = [worker for worker in self if worker.replica.model_key == model]
        successors = [worker for worker in workers if worker.is_wanted]
        served = {worker.served for worker in successors}
        # Also superseded workers count here, if they serve the same entry of the catalog with the file's old content.
        asked = [worker for worker in workers if worker.served in served and worker.address is not None]
        return all(worker.address is not None for worker in successors) and lanes_up[model] >= len(asked)

    def _keep_or_add(self, replica: Replica) -> Worker | None:
        words = worker_words(replica, self._options)
        inputs = self._inputs.get(replica.game, self._folder / f"{replica.game}.inputs.json")
        for worker in self:
            if worker.serves(replica, words):
                worker.is_wanted, worker.inputs = True, inputs
                worker.child.try_again()
                return None
        # A number, because the path of a Unix socket is limited to 100 characters.
        socket = self._folder / f"{next(self._numbers)}.sock"

        def command(_: object) -> list[str]:
            return worker_command(replica, self._options, socket, worker.inputs)

        child = Child(replica.name, command, self._log(replica), self._watcher, file_of(replica))
        worker = self._workers[child] = Worker(replica, words, child, inputs)
        return worker

    def _log(self, replica: Replica) -> Path:
        """Returns the first log of the replica that does not exist yet: `NAME.log`, `NAME.2.log` and so on."""
        log = self._folder / f"{replica.name.replace('/', '.')}.log"
        others = (log.with_suffix(f".{number}.log") for number in itertools.count(2))
        return next(one for one in itertools.chain((log,), others) if not one.exists())
