"""A Deployment's pods over time: pending, starting, ready, leaving; and the CPU that metrics-server sees of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from autoscaling.engine.observation import Pod, Requests, Sample

SCRAPE_S = 15.0  # of metrics-server: --metric-resolution in its manifests
FRESH_S = 10.0  # a container of this age at its first scrape has a usage, from its start on (pkg/storage/pod.go)
PROBE_S = 1.0  # the chart's startup probe
LEAVING_S = 6.0  # preStop's sleep, and the drain


@dataclass(frozen=True, slots=True)
class Starts:
    """How long pods take from their creation to SERVING, in seconds: medians, and the relative spread of each."""

    schedule_s: float = 0.5
    image_s: float = 2.0
    load_s: float = 0.5
    load_cpu_s: float = 0.4
    spread: float = 0.2


@dataclass(slots=True)
class Life:
    """One pod; a time that has not come is infinite. `seen`: as the API server tells it."""

    name: str
    created_s: float
    placed_s: float = math.inf
    started_s: float = math.inf
    ready_s: float = math.inf
    deleted_s: float = math.inf
    seen: Pod = field(default_factory=lambda: Pod(""))

    def serves(self, at_s: float) -> bool:
        """Whether it takes rows then."""
        return self.ready_s <= at_s < self.deleted_s


class Fleet:
    """The pods of one Deployment."""

    def __init__(self, name: str, container: str, request_cores: float, memory_m: int, starts: Starts) -> None:
        self.name = name
        self.request_cores = request_cores
        self.memory_m = memory_m
        self.starts = starts
        self.pods: list[Life] = []
        self.replicas = 0
        cpu_m = math.ceil(request_cores * 1000 - 1e-9)
        self._requests = Requests({"cpu": {container: cpu_m}, "memory": {container: memory_m}})
        self._count = 0
        # Where nothing has happened for a while, every pod is alike: what is asked most is then known without a look.
        self._settled_s = math.inf
        self._names: tuple[str, ...] = ()
        self.seen: list[Pod] = []
        self._cpu_s = [0.0]  # of one ready pod since the beginning, at the end of each step
        self._step_s = SCRAPE_S

    def begin(self, replicas: int) -> None:
        """The pods that are there, and ready, when the simulation begins."""
        self.scale(replicas, -3600.0)
        for pod in self.pods:
            pod.placed_s = pod.started_s = pod.ready_s = -3600.0
            self._tell(pod, -3600.0)
        self._look(0.0)

    def scale(self, replicas: int, now_s: float) -> None:
        """Makes pods, or deletes them: those that are not ready first, then the youngest (as a ReplicaSet does)."""
        wanted = [pod for pod in self.pods if pod.deleted_s == math.inf]
        for _ in range(replicas - len(wanted)):
            self._count += 1
            pod = Life(f"{self.name}-{self._count}", now_s)
            self._tell(pod, now_s)
            self.pods.append(pod)
        leaving = sorted(wanted, key=lambda pod: (pod.ready_s <= now_s, -pod.ready_s, -pod.created_s))
        for pod in leaving[: max(0, len(wanted) - replicas)]:
            pod.deleted_s = now_s
            self._tell(pod, now_s)
        self.replicas = replicas
        self._look(now_s)

    def waiting(self) -> Iterator[Life]:
        """The pods that no node has taken yet."""
        return (pod for pod in self.pods if pod.placed_s == math.inf and pod.deleted_s == math.inf)

    def place(self, pod: Life, now_s: float, rng: np.random.Generator) -> None:
        """A node takes `pod`: when it will have started and be ready is drawn now."""
        stretch = np.exp(self.starts.spread * rng.standard_normal(3))
        pod.placed_s = now_s + self.starts.schedule_s * stretch[0]
        pod.started_s = pod.placed_s + self.starts.image_s * stretch[1]
        loaded_s = pod.started_s + self.starts.load_s * stretch[2]
        pod.ready_s = loaded_s + PROBE_S * float(rng.random())

    def advance(self, now_s: float) -> None:
        """What has happened to pods by `now_s` is told; those that are gone are forgotten."""
        if now_s >= self._settled_s:
            return
        self.pods = [pod for pod in self.pods if now_s < pod.deleted_s + LEAVING_S]
        for pod in self.pods:
            if pod.seen.ready is not True or pod.deleted_s <= now_s:
                self._tell(pod, now_s)
        self._look(now_s)

    def _look(self, now_s: float) -> None:
        quiet = all(pod.ready_s <= now_s and pod.deleted_s == math.inf for pod in self.pods)
        self._settled_s = now_s if quiet else math.inf
        self._names = tuple(pod.name for pod in self.pods)
        self.seen = [pod.seen for pod in self.pods]

    def used(self, cores: float) -> None:
        """Each ready pod used `cores` in the step that is over."""
        self._cpu_s.append(self._cpu_s[-1] + cores * self._step_s)

    def ready(self, at_s: float) -> int:
        """How many take rows then."""
        if at_s >= self._settled_s:
            return len(self.pods)
        return sum(pod.serves(at_s) for pod in self.pods)

    def requested_cores(self) -> float:
        """What placed pods that are not gone request together."""
        return self.request_cores * sum(pod.placed_s < math.inf for pod in self.pods)

    def cpu_samples(self, now_s: float, phase_s: float) -> dict[str, Sample]:
        """What metrics-server tells at `now_s`, in thousandths of a core; it looks every 15 s from `phase_s` on."""
        to_s = phase_s + math.floor((now_s - phase_s) / SCRAPE_S) * SCRAPE_S
        from_s = to_s - SCRAPE_S
        usual = Sample(_milli((self._cpu_at(to_s) - self._cpu_at(from_s)) / SCRAPE_S), to_s, SCRAPE_S)
        if from_s >= self._settled_s:
            return dict.fromkeys(self._names, usual)
        samples = {}
        for pod in self.pods:
            if pod.ready_s <= from_s:
                samples[pod.name] = usual
            elif pod.started_s <= from_s or to_s - pod.started_s >= FRESH_S:
                since_s = max(from_s, pod.started_s)
                cpu_s = self._pod_cpu_s(pod, to_s) - self._pod_cpu_s(pod, since_s)
                samples[pod.name] = Sample(_milli(cpu_s / (to_s - since_s)), to_s, to_s - since_s)
        return samples

    def _cpu_at(self, at_s: float) -> float:
        """CPU seconds of one ready pod since the beginning; the present step counts as the last did."""
        place = at_s / self._step_s
        index = min(max(int(place), 0), len(self._cpu_s) - 1)
        if index + 1 < len(self._cpu_s):
            return self._cpu_s[index] + (place - index) * (self._cpu_s[index + 1] - self._cpu_s[index])
        slope = self._cpu_s[-1] - self._cpu_s[-2] if len(self._cpu_s) > 1 else 0.0
        return self._cpu_s[-1] + max(0.0, place - index) * slope

    def _pod_cpu_s(self, pod: Life, at_s: float) -> float:
        """CPU seconds of one pod since its start: its load, then its share of the work."""
        loading_s = max(pod.ready_s - pod.started_s, 1e-9)
        loaded = min(max(at_s - pod.started_s, 0.0) / loading_s, 1.0) * self.starts.load_cpu_s
        return loaded + (self._cpu_at(at_s) - self._cpu_at(pod.ready_s) if at_s > pod.ready_s else 0.0)

    def _tell(self, pod: Life, now_s: float) -> None:
        """A cluster's times are whole seconds."""
        placed, running, ready = pod.placed_s <= now_s, pod.started_s <= now_s, pod.ready_s <= now_s
        pod.seen = Pod(
            pod.name,
            phase="Running" if running else "Pending",
            start_s=float(math.floor(pod.placed_s)) if placed else None,
            ready=ready if placed else None,
            ready_since_s=float(math.floor(pod.ready_s if ready else pod.placed_s)) if placed else None,
            deleting=pod.deleted_s <= now_s,
            requests=self._requests,
        )


def _milli(cores: float) -> int:
    return math.ceil(cores * 1000 - 1e-9)
