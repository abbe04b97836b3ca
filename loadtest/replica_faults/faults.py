"""The faults of a worker process, as context managers: it is faulty while the block lasts."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType

from loadtest.errors import CannotMeasure

QUOTA_SHARE = 0.1
PERIOD_US = 100_000
PREDICT_THREAD = "predict"
CGROUP = Path("/sys/fs/cgroup")
# ptrace(2) stops a single thread, a signal all threads of a process. Waiting for a thread needs __WALL, wait(2).
_PTRACE_ATTACH, _PTRACE_DETACH, _WALL = 16, 17, 0x40000000

Fault = Callable[[int], AbstractContextManager[None]]  # of a process id


@contextlib.contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Stops the process: it keeps its connections and answers nothing."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def stuck_thread(pid: int) -> Iterator[None]:
    """Stops the predict thread only: the event loop still answers pings. Enter and leave on one thread."""
    thread = _thread(pid, PREDICT_THREAD)
    _ptrace(_PTRACE_ATTACH, thread)
    try:
        os.waitpid(thread, _WALL)
        yield
    finally:
        _ptrace(_PTRACE_DETACH, thread)


@contextlib.contextmanager
def short_of_cpu(pid: int) -> Iterator[None]:
    """Limits the process to a tenth of a CPU, as a CPU limit of 100m does in Kubernetes."""
    is_v1 = (CGROUP / "cpu").is_dir()
    parent = CGROUP / "cpu" if is_v1 else CGROUP
    home, group = _cgroup_of(pid, parent, is_v1), parent / f"loadtest-{pid}"
    quota_us = round(QUOTA_SHARE * PERIOD_US)
    try:
        group.mkdir()
        if is_v1:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(quota_us))
        else:
            (group / "cpu.max").write_text(f"{quota_us} {PERIOD_US}")
        (group / "cgroup.procs").write_text(str(pid))
    except OSError as error:
        raise CannotMeasure(f"cannot limit the CPU of a process: {error}; run as root, or with --only") from error
    try:
        yield
    finally:
        (home / "cgroup.procs").write_text(str(pid))
        group.rmdir()


FAULTS: Mapping[str, Fault] = MappingProxyType(
    {"frozen": frozen, "stuck thread": stuck_thread, "10 % of a CPU": short_of_cpu}
)


def _cgroup_of(pid: int, parent: Path, is_v1: bool) -> Path:
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if ("cpu" in controllers.split(",")) if is_v1 else not controllers:
            return parent / path.lstrip("/")
    return parent


def _thread(pid: int, name: str) -> int:
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == name:
            return int(task.name)
    raise CannotMeasure(f"process {pid} has no thread with the name {name}")


def _ptrace(request: int, thread: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(request, thread, None, None) == -1:
        reason = os.strerror(ctypes.get_errno())
        raise CannotMeasure(f"cannot stop thread {thread}: {reason}; run as root, or with --only")
