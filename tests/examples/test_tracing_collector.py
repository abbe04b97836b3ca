"""The example of an OpenTelemetry collector fits the mesh: its address, its protocol, and a real collector."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from loadtest.tracing.picture import bars_of
from mesh.process import Launch, running
from mesh.tracing.export import exporting
from mesh.tracing.options import CHECKS, TraceOptions
from mesh.tracing.spans import Span
from mesh.tracing.traceparent import new_span
from tests.free_port import free_port

ROOT = Path(__file__).parents[2]
FILE = ROOT / "examples/tracing/collector.yaml"
CONFIG: dict[str, Any] = yaml.safe_load(FILE.read_text())
PARTS: dict[str, Any] = yaml.safe_load((FILE.parent / "builder.yaml").read_text())
PAGE = (ROOT / "docs/traces.md").read_text()
COLLECTOR = ROOT / "build/collector/otel-collector"
GRPC = "receivers::otlp::protocols::grpc::endpoint"
LIMIT_S = 30.0


def test_mesh_of_the_page_sends_to_the_address_of_the_receiver_over_grpc() -> None:
    (protocol,) = CONFIG["receivers"]["otlp"]["protocols"].items()
    addresses = re.findall(r"^mesh up .*--trace-to (\S+)", PAGE, re.MULTILINE)
    assert protocol == ("grpc", {"endpoint": "127.0.0.1:4317"})  # `tls` is missing, as the mesh sends plaintext
    assert addresses
    assert {CHECKS["trace_to"](one) for one in addresses} == {protocol[1]["endpoint"]}


@pytest.mark.parametrize("kind", ["receivers", "processors", "exporters"])
def test_pipeline_uses_every_component_and_make_builds_each(kind: str) -> None:
    (pipeline,) = CONFIG["service"]["pipelines"].items()
    built = {_component(module["gomod"], kind) for module in PARTS[kind]}
    assert pipeline[0] == "traces"
    assert set(pipeline[1][kind]) == set(CONFIG[kind])
    assert set(CONFIG[kind]) <= built


def test_page_names_the_files_and_the_target() -> None:
    assert str(FILE.relative_to(ROOT)) in PAGE
    assert f"{COLLECTOR.relative_to(ROOT)} --config {FILE.relative_to(ROOT)}" in PAGE
    assert "make collector" in PAGE
    assert CONFIG["exporters"]["file"]["path"] in PAGE


async def test_collector_with_the_example_takes_the_spans_of_the_mesh(tmp_path: Path) -> None:
    if not COLLECTOR.exists():
        pytest.skip("the OpenTelemetry collector is not built; install Go and run `make collector`")
    spans, address = tmp_path / "spans.json", f"127.0.0.1:{free_port()}"
    changes = [f"--set={GRPC}={address}", f"--set=exporters::file::path={spans}"]
    collector = Launch("the collector", [str(COLLECTOR), f"--config={FILE}", *changes])
    options, attributes = TraceOptions(address), {"service.name": "ensemble-mesh-supervisor"}
    async with running(collector, LIMIT_S):
        await _listening(address)
        async with exporting(options, attributes, {}) as export:
            parent = new_span()
            export.emit(Span("request", parent, None, 1.0, 2.0, {"mesh.game": "dragonfall"}))
            export.emit(Span("cohort", new_span(parent.trace_id), parent, 1.1, 1.9))
    assert (export.sent, export.dropped()["collector"]) == (2, 0)
    lines = spans.read_text().splitlines()
    assert [(bar.name, bar.depth) for bar in bars_of(lines)] == [("request", 0), ("cohort", 1)]
    assert "dragonfall" in json.dumps([json.loads(line) for line in lines])


async def _listening(address: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel, asyncio.timeout(LIMIT_S):
        await channel.channel_ready()


def _component(module: str, kind: str) -> str:
    """The type of the component in a Go module: `memory_limiter` of `.../processor/memorylimiterprocessor v1`."""
    name = module.split()[0].rsplit("/", 1)[1].removesuffix(kind.removesuffix("s"))
    return {"memorylimiter": "memory_limiter"}.get(name, name)
