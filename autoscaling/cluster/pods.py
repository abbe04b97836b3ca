"""The pods of a simulated Deployment over time: pending, running, ready, deleted; and their CPU in metrics-server."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from autoscaling.engine.observation import Pod, ResourceRequests, Sample

SCRAPE_S = 15.0  # of metrics-server: --metric-resolution in its manifests
FRESH_S = 10.0  # at its first scrape, a container of at least this age has a usage since its start (pkg/storage/pod.go)
PROBE_S = 1.0  # period of the chart's startup probe
TERMINATION_S = 6.0  # the sleep of preStop, and the drain


@dataclass(frozen=True, slots=True)
class StartTimes:
    """The time from the creation of a pod to SERVING, in seconds: medians, and the relative spread of each."""

    schedule_s: float = 0.5
    image_s: float = 2.0
    load_s: float = 0.5
    load_cpu_s: float = 0.4
    spread: float = 0.2


@dataclass(slots=True)
class SimulatedPod:
    """One pod; a time in the future may be infinite. `observed`: the pod in the API server."""

    name: str
    created_s: float
    scheduled_s: float = math.inf
    started_s: float = math.inf
    ready_s: float = math.inf
    deleted_s: float = math.inf
    observed: Pod = field(default_factory=lambda: Pod(""))

    def serves(self, at_s: float) -> bool:
        """Returns whether the pod accepts rows at `at_s`."""
        return self.ready_s <= at_s < self.deleted_s


class Fleet:
    """The pods of one Deployment."""

    def __init__(self, name: str, container: str, request_cores: float, memory_m: int, starts: StartTimes) -> None:
        self.name = name
        self.request_cores = request_cores
        self.memory_m = memory_m
        self.starts = starts
        self.pods: list[SimulatedPod] = []
        self.replicas = 0
        cpu_m = math.ceil(request_cores * 1000 - 1e-9)
        self._requests = ResourceRequests({"cpu": {container: cpu_m}, "memory": {container: memory_m}})
        self._count = 0
        # Since this time all pods are ready and none is deleted: then the frequent queries need no loop over the pods.
        self._settled_s = math.inf
        self._names: tuple[str, ...] = ()
        self.observed: list[Pod] = []
        self._cpu_s = [0.0]  # CPU of one ready pod since the start, at the end of each step
        self._step_s = SCRAPE_S

    def begin(self, replicas: int) -> None:
        """Sets the pods that exist and are ready at the start of the simulation."""
        self.scale(replicas, -3600.0)
        for pod in self.pods:
            pod.scheduled_s = pod.started_s = pod.ready_s = -3600.0
            self._publish(pod, -3600.0)
        self._refresh(0.0)

    def scale(self, replicas: int, now_s: float) -> None:
        """Creates or deletes pods; deletes pods that are not ready first, then the youngest (as a ReplicaSet does)."""
        wanted = [pod for pod in self.pods if pod.deleted_s == math.inf]
        for _ in range(replicas - len(wanted)):
            self._count += 1
            pod = SimulatedPod(f"{self.name}-{self._count}", now_s)
            self._publish(pod, now_s)
            self.pods.append(pod)
        candidates = sorted(wanted, key=lambda pod: (pod.ready_s <= now_s, -pod.ready_s, -pod.created_s))
        for pod in candidates[: max(0, len(wanted) - replicas)]:
            pod.deleted_s = now_s
            self._publish(pod, now_s)
        self.replicas = replicas
        self._refresh(now_s)

    def pending(self) -> Iterator[SimulatedPod]:
        """Yields the pods that have no node yet."""
        return (pod for pod in self.pods if pod.scheduled_s == math.inf and pod.deleted_s == math.inf)

    def schedule(self, pod: SimulatedPod, now_s: float, rng: np.random.Generator) -> None:
        """Assigns `pod` to a node; draws the times at which it starts and becomes ready."""
        stretch = np.exp(self.starts.spread * rng.standard_normal(3))
        pod.scheduled_s = now_s + self.starts.schedule_s * stretch[0]
        pod.started_s = pod.scheduled_s + self.starts.image_s * stretch[1]
        loaded_s = pod.started_s + self.starts.load_s * stretch[2]
        pod.ready_s = loaded_s + PROBE_S * float(rng.random())

    def advance(self, now_s: float) -> None:
        """Updates the observed pods to `now_s`; removes pods that have terminated."""
        if now_s >= self._settled_s:
            return
        self.pods = [pod for pod in self.pods if now_s < pod.deleted_s + TERMINATION_S]
        for pod in self.pods:
            if pod.observed.ready is not True or pod.deleted_s <= now_s:
                self._publish(pod, now_s)
        self._refresh(now_s)

    def _refresh(self, now_s: float) -> None:
        settled = all(pod.ready_s <= now_s and pod.deleted_s == math.inf for pod in self.pods)
        self._settled_s = now_s if settled else math.inf
        self._names = tuple(pod.name for pod in self.pods)
        self.observed = [pod.observed for pod in self.pods]

    def used(self, cores: float) -> None:
        """Records that each ready pod used `cores` in the last step."""
        self._cpu_s.append(self._cpu_s[-1] + cores * self._step_s)

    def ready(self, at_s: float) -> int:
        """Returns the number of pods that accept rows at `at_s`."""
        if at_s >= self._settled_s:
            return len(self.pods)
        return sum(pod.serves(at_s) for pod in self.pods)

    def requested_cores(self) -> float:
        """Returns the CPU requests of all scheduled pods that have not terminated."""
        return self.request_cores * sum(pod.scheduled_s < math.inf for pod in self.pods)

    def cpu_samples(self, now_s: float, phase_s: float) -> dict[str, Sample]:
        """Returns the samples of metrics-server at `now_s`, in thousandths of a core.

        It scrapes every 15 s from `phase_s` on.
        """
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
        """CPU seconds of one ready pod since the start; the current step is assumed to be like the last one."""
        place = at_s / self._step_s
        index = min(max(int(place), 0), len(self._cpu_s) - 1)
        if index + 1 < len(self._cpu_s):
            return self._cpu_s[index] + (place - index) * (self._cpu_s[index + 1] - self._cpu_s[index])
        slope = self._cpu_s[-1] - self._cpu_s[-2] if len(self._cpu_s) > 1 else 0.0
        return self._cpu_s[-1] + max(0.0, place - index) * slope

    def _pod_cpu_s(self, pod: SimulatedPod, at_s: float) -> float:
        """CPU seconds of one pod since its start: loading the model, then its share of the work."""
        loading_s = max(pod.ready_s - pod.started_s, 1e-9)
        loaded = min(max(at_s - pod.started_s, 0.0) / loading_s, 1.0) * self.starts.load_cpu_s
        return loaded + (self._cpu_at(at_s) - self._cpu_at(pod.ready_s) if at_s > pod.ready_s else 0.0)

    def _publish(self, pod: SimulatedPod, now_s: float) -> None:
        """Writes the pod to the API server; times of a cluster are whole seconds."""
        scheduled, running, ready = pod.scheduled_s <= now_s, pod.started_s <= now_s, pod.ready_s <= now_s
        pod.observed = Pod(
            pod.name,
            phase="Running" if running else "Pending",
            start_s=float(math.floor(pod.scheduled_s)) if scheduled else None,
            ready=ready if scheduled else None,
            ready_since_s=float(math.floor(pod.ready_s if ready else pod.scheduled_s)) if scheduled else None,
            deleting=pod.deleted_s <= now_s,
            requests=self._requests,
        )


def _milli(cores: float) -> int:
    return math.ceil(cores * 1000 - 1e-9)
