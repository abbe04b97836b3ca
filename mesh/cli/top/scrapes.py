"""Reads the metrics pages of several supervisors, each on a thread of its own, so that none delays another."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mesh.cli.metrics_page import fetch_page
from mesh.cli.top.combined import Span
from mesh.cli.top.reading import PageReader, Reading
from mesh.errors import MeshError
from mesh.tls.channel import ClientSecurity

PERIOD_S = 1.0
SILENT_S = 3.0  # a page that is older than this is not shown as if it were current
Source = Callable[[], Reading]


@dataclass(frozen=True, slots=True)
class Scrape:
    """The latest state of one supervisor: its span, or else why there is none.

    Both are None before the first answer. `span` is None after a fault, until there are two readings again.
    """

    address: str
    span: Span | None = None
    fault: str | None = None


def source(address: str, security: ClientSecurity) -> Source:
    """Returns a function that reads the page at `address`; it raises MeshError if it cannot."""
    reader = PageReader()
    return lambda: fetch_page(address, "/metrics", reader.read, security)


class Scraper:
    """Reads one supervisor every `PERIOD_S` on a thread, until it is stopped."""

    def __init__(self, address: str, read: Source, period_s: float = PERIOD_S) -> None:
        self._address = address
        self._read = read
        self._period_s = period_s
        self._latest = Scrape(address)
        self._latest_s = time.monotonic()
        self._stopped = threading.Event()
        self._first = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"metrics of {address}", daemon=True)

    def start(self) -> None:
        """Starts the thread. It ends with the process: a peer that sends byte after byte cannot hold up the end."""
        self._thread.start()

    def stop(self) -> None:
        """Lets the thread end after the page that it reads."""
        self._stopped.set()

    def latest(self) -> Scrape:
        """Returns the latest state; a fault if the supervisor has been silent for `SILENT_S`."""
        silent_s = time.monotonic() - self._latest_s
        if silent_s < SILENT_S + self._period_s:
            return self._latest
        return Scrape(self._address, fault=f"no answer for {silent_s:.0f} s")

    def wait_first(self, until_s: float) -> None:
        """Waits for the first span or fault, until the monotonic time `until_s`."""
        self._first.wait(max(0.0, until_s - time.monotonic()))

    def _run(self) -> None:
        before: tuple[Reading, float] | None = None
        while not self._stopped.is_set():
            start_s = time.monotonic()
            try:
                after = self._read()
            except MeshError as error:
                self._publish(Scrape(self._address, fault=error.reason))
            else:
                read_s = time.monotonic()
                if before is not None:
                    self._publish(Scrape(self._address, Span(before[0], after, read_s - before[1])))
                before = after, read_s
            self._stopped.wait(max(0.0, start_s + self._period_s - time.monotonic()))

    def _publish(self, scrape: Scrape) -> None:
        self._latest, self._latest_s = scrape, time.monotonic()
        self._first.set()


@contextlib.contextmanager
def scraping(scrapers: Sequence[Scraper]) -> Iterator[None]:
    """Runs the scrapers during the block."""
    for scraper in scrapers:
        scraper.start()
    try:
        yield
    finally:
        for scraper in scrapers:
            scraper.stop()
