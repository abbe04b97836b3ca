"""The HPA of a trace, with the rules of its Kubernetes version."""

from __future__ import annotations

from pathlib import Path

from autoscaling import spec
from autoscaling.engine import versions
from autoscaling.engine.hpa import Flags, Hpa
from autoscaling.engine.versions import Version
from autoscaling.traces.trace_file import Trace
from mesh.errors import Misconfigured


def version_of(trace: Trace, file: Path, option: str | None) -> Version:
    """Returns the version of the option `--kubernetes`, else that of the trace, else the default.

    Raises Misconfigured if the text is not a supported version.
    """
    if option is None and trace.kubernetes is None:
        return versions.DEFAULT
    try:
        return versions.parse(option or trace.kubernetes or "")
    except ValueError as error:
        raise Misconfigured([f"--kubernetes: {error}" if option else f"{file}: kubernetes: {error}"]) from None


def hpa_of(trace: Trace, version: Version, file: Path) -> Hpa:
    """Returns the HPA of `trace`; raises Misconfigured if its spec is wrong or needs values that a trace lacks."""
    flags = Flags(**trace.controller.model_dump())
    hpa = spec.read(trace.spec, flags=flags, version=version, namespace=trace.namespace, place=f"{file}: spec")
    for place, metric in enumerate(hpa.metrics):
        if metric.kind in ("Resource", "ContainerResource") and metric.name != "cpu":
            raise Misconfigured([f"{file}: spec.metrics[{place}]: a trace has no usage of {metric.name}, only of cpu"])
    return hpa
