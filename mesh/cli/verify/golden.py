"""Sends the golden rows of each model to its running workers, and compares the scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import grpc

from mesh.catalog.version import Model
from mesh.cli.console import count
from mesh.cli.verify.report import Check
from mesh.cli.verify.workers import Addresses
from mesh.golden import BadGolden, Golden, check_model, decode, find_difference, rows_of
from mesh.model_file import BadModel, ModelHeader, from_properties, with_categories
from mesh.serving import lane_options
from mesh.tls.channel import ClientSecurity, open_channel
from mesh.tls.connection_fault import connection_fault, is_ready
from mesh.wire import inference_pb2 as oip
from mesh.wire.inference_pb2_grpc import GRPCInferenceServiceStub

CONNECT_S = 3.0
CALL_S = 10.0
_FEATURES = "features"


def check_golden(models: Sequence[Model], workers: Addresses, security: ClientSecurity) -> Iterator[Check]:
    """Yields a check for each worker of each model whose golden rows are on this machine."""
    for model in models:
        if model.golden is None:
            yield Check("golden rows", model.name, "skipped", "the catalog names no golden rows for this model")
        elif not workers.get(model.name):
            yield Check("golden rows", model.name, "skipped", "no worker is known; name the workers with --workers")
        else:
            yield from (_check(model, Path(model.golden), address, security) for address in workers[model.name])


def _check(model: Model, file: Path, address: str, security: ClientSecurity) -> Check:
    subject = f"{model.name} at {address}"
    try:
        golden = decode(file.read_bytes())
        with open_channel(address, security, lane_options()) as channel:
            if not is_ready(channel, CONNECT_S):
                fault = connection_fault(address, security)
                return Check("golden rows", subject, "different", fault or "no worker accepts connections there")
            scores = _score(GRPCInferenceServiceStub(channel), model.name, golden)  # type: ignore[no-untyped-call]
    except (BadGolden, BadModel, OSError) as error:
        return Check("golden rows", subject, "different", str(error))
    except grpc.RpcError as error:
        return Check("golden rows", subject, "different", f"{error.code().name}: {error.details()}")
    difference = find_difference(golden, scores)
    if difference is not None:
        return Check("golden rows", subject, "different", f"{difference}; expected scores of {golden.scored_by}")
    return Check("golden rows", subject, "equal", count(len(golden.rows), "row"))


def _score(stub: GRPCInferenceServiceStub, name: str, golden: Golden) -> bytes:
    """Returns the scores of one worker; raises BadGolden if it serves another model file."""
    metadata = stub.ModelMetadata(oip.ModelMetadataRequest(name=name), timeout=CALL_S)
    header = _with_known_categories(from_properties(metadata.properties), golden)
    check_model(golden, metadata.properties["sha256"], header.feature_names, header.classes)
    request = oip.ModelInferRequest(model_name=name, raw_input_contents=[rows_of(golden, header.categories)])
    request.inputs.add(name=_FEATURES, datatype="FP64", shape=(len(golden.rows), len(golden.features)))
    response = stub.ModelInfer(request, timeout=CALL_S)
    return bytes(response.raw_output_contents[0])


def _with_known_categories(header: ModelHeader, golden: Golden) -> ModelHeader:
    return header if header.open_lists is None else with_categories(header, golden.categories)
