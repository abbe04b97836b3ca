"""The certificate of a running process: good new files replace it, bad or torn ones never do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mesh.errors import Misconfigured
from mesh.tls import live
from mesh.tls.demands import Demands
from mesh.tls.files import TlsFiles
from mesh.tls.live import LiveTls
from mesh.tls.pem import PemBytes
from tests.mesh.tls.certificates import DAY, NAME, NOW, Holder, Wish, authority, issue, write

CA, NEW_CA = authority(), authority("new CA")


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    return write(tmp_path, issue(CA), CA)


async def polls(tls: LiveTls, count: int = 2) -> None:
    for _ in range(count):
        await tls.poll()


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


def replace(files: TlsFiles, holder: Holder, *authorities: Holder) -> None:
    write(files.cert.parent, holder, *authorities)


def test_faulty_files_are_refused_at_the_start(files: TlsFiles) -> None:
    files.key.write_bytes(b"")
    with pytest.raises(Misconfigured, match="is empty"):
        LiveTls(files)


async def test_new_pair_replaces_the_one_in_use_and_is_reported_once(files: TlsFiles) -> None:
    tls, changes = LiveTls(files), list[str]()
    tls.subscribe(lambda: changes.append(tls.current.cert.decode()))
    await polls(tls, 3)
    assert changes == []
    service = issue(CA)
    replace(files, service, CA)
    await polls(tls, 5)
    assert (tls.current.cert, changes) == (service.cert_pem, [service.cert_pem.decode()])


@pytest.mark.parametrize("name", ["cert", "key", "ca"])
async def test_change_of_a_ca_or_of_the_same_key_is_a_change(files: TlsFiles, name: str) -> None:
    tls = LiveTls(files)
    service = issue(CA, Wish(key=issue(CA).key)) if name != "ca" else None
    if service is None:
        files.ca.write_bytes(CA.cert_pem + NEW_CA.cert_pem)
    else:
        replace(files, service, CA)
    before = tls.current
    await polls(tls)
    assert getattr(tls.current, name) != getattr(before, name)


async def test_swap_of_the_folder_as_the_kubelet_does_it_replaces_the_pair(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"..{number}").mkdir()
    services = [issue(CA), issue(CA)]
    for number, service in enumerate(services, 1):
        write(tmp_path / f"..{number}", service, CA)
    data = tmp_path / "..data"
    data.symlink_to("..1")
    for name in ("tls.crt", "tls.key", "ca.crt"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    tls = LiveTls(TlsFiles(tmp_path / "tls.crt", tmp_path / "tls.key", tmp_path / "ca.crt"))
    assert tls.current.cert == services[0].cert_pem
    (tmp_path / "..tmp").symlink_to("..2")
    (tmp_path / "..tmp").rename(data)
    await polls(tls)
    assert tls.current.cert == services[1].cert_pem


async def test_files_that_are_written_one_after_the_other_cause_no_error(
    files: TlsFiles, caplog: pytest.LogCaptureFixture
) -> None:
    tls, service = LiveTls(files), issue(NEW_CA)
    steps: list[Callable[[], object]] = [
        lambda: files.cert.write_bytes(b""),
        lambda: files.cert.write_bytes(service.cert_pem[:100]),
        lambda: files.cert.write_bytes(service.cert_pem),  # with the key before
        lambda: files.key.unlink(),
        lambda: files.key.write_bytes(service.key_pem),  # a whole pair, with the CA before
        lambda: files.ca.write_bytes(NEW_CA.cert_pem),
    ]
    before = tls.current
    for step in steps:
        step()
        await tls.poll()
        assert tls.current is before
    await tls.poll()
    assert (tls.current.cert, tls.current.ca) == (service.cert_pem, NEW_CA.cert_pem)
    assert (errors(caplog), tls.refused) == ([], "")


@pytest.mark.parametrize(
    ("wish", "fault"),
    [
        (Wish(begin=NOW - 9 * DAY, end=NOW - DAY), "expired"),
        (Wish(begin=NOW + DAY), "is valid from"),
        (Wish(names=[]), "tls.supervisor of chess"),
    ],
)
async def test_bad_pair_never_replaces_a_good_one(
    files: TlsFiles, clock: Clock, caplog: pytest.LogCaptureFixture, wish: Wish, fault: str
) -> None:
    tls = LiveTls(files, clock, Demands(names={NAME: "tls.supervisor of chess"}))
    before = tls.current
    replace(files, issue(CA, wish), CA)
    await polls(tls, 20)
    assert tls.current is before
    assert fault in tls.refused
    (line,) = errors(caplog)
    assert line.startswith("the new certificate is refused, the one before stays in use: ")


async def test_refused_pair_is_used_as_soon_as_it_is_valid(files: TlsFiles, clock: Clock) -> None:
    tls, service = LiveTls(files, clock), issue(CA, Wish(begin=NOW + DAY))
    replace(files, service, CA)
    await polls(tls)
    assert tls.refused
    clock.now = NOW + DAY
    await tls.poll()
    assert (tls.current.cert, tls.refused) == (service.cert_pem, "")


async def test_return_of_the_files_in_use_ends_the_fault(files: TlsFiles) -> None:
    tls, cert = LiveTls(files), files.cert.read_bytes()
    files.cert.write_bytes(b"garbage")
    await polls(tls)
    assert tls.refused
    files.cert.write_bytes(cert)
    await polls(tls)
    assert tls.refused == ""


async def test_lasting_fault_is_logged_again_after_ten_minutes(
    files: TlsFiles, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    tls = LiveTls(files, clock)
    files.cert.write_bytes(b"garbage")
    for second in range(1200):
        clock.now = NOW + timedelta(seconds=second)
        tls.reload()
    assert len(errors(caplog)) == 2


async def test_faults_that_change_all_the_time_are_logged_every_ten_seconds(
    files: TlsFiles, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    tls = LiveTls(files, clock)
    for second in range(100):
        clock.now = NOW + timedelta(seconds=second)
        files.ca.write_bytes(issue(CA, Wish(end=NOW - timedelta(hours=1))).cert_pem)
        files.cert.write_bytes((CA, issue(CA))[second % 2].cert_pem)
        tls.reload()
    assert len(errors(caplog)) == 10


async def test_expired_pair_stays_in_use_and_is_logged_at_intervals(
    files: TlsFiles, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    tls = LiveTls(files, clock)
    before = tls.current
    for second in range(0, 1200, 10):
        clock.now = NOW + 30 * DAY + timedelta(seconds=second)
        await tls.poll()
    assert tls.current is before
    assert len(errors(caplog)) == 2
    assert "the certificate in use expired at" in errors(caplog)[0]


async def test_names_that_are_demanded_later_are_checked_at_once_and_at_each_poll(
    files: TlsFiles, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    tls, demanded = LiveTls(files, clock), {NAME: "tls.supervisor of chess"}
    tls.demand_names(lambda: demanded)
    with pytest.raises(Misconfigured, match=r"the name other\.mesh"):
        tls.demand_names(lambda: {"other.mesh": "tls.supervisor of go"})
    tls.demand_names(lambda: demanded)
    await polls(tls)
    assert errors(caplog) == []
    demanded["supervisor.go.mesh"] = "tls.supervisor of go"
    await polls(tls)
    (line,) = errors(caplog)
    assert "peers refuse new connections" in line
    assert "the name supervisor.go.mesh (tls.supervisor of go) is missing" in line


async def test_file_that_breaks_the_parser_is_a_fault(files: TlsFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug of the parser")

    tls = LiveTls(files)
    monkeypatch.setattr(live, "check_key_pair", broken)
    replace(files, issue(CA), CA)
    await polls(tls)
    assert "cannot be checked: RuntimeError" in tls.refused


async def test_warnings_of_a_pair_are_logged_once(files: TlsFiles, caplog: pytest.LogCaptureFixture) -> None:
    replace(files, issue(NEW_CA), CA)
    tls = LiveTls(files)
    await polls(tls, 5)
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1


async def test_poll_that_is_cancelled_leaves_the_pair_in_use(files: TlsFiles) -> None:
    tls = LiveTls(files)
    before = tls.current
    replace(files, issue(CA), CA)
    await tls.poll()
    task = asyncio.create_task(tls.poll())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert tls.current is before
    await polls(tls)
    assert tls.current is not before


def test_pem_bytes_hide_the_key() -> None:
    assert "secret" not in repr(PemBytes(b"", b"secret", b""))
