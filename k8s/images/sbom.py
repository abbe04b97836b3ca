"""`make sbom`: a software bill of materials of each image, as CycloneDX 1.6 JSON, from what the image contains.

    build/audit/bin/python -m k8s.images.sbom IMAGE FILE [--base NAME@sha256:DIGEST]

It reads the tree that `make image-roots` has laid out, and checks its output with the official schema. The same tree
gives the same bytes.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from k8s.images.contents import Contents, Package, WrongTree, read_contents
from mesh import __version__

PROJECT = Path(__file__).resolve().parents[2]
ROOTS = PROJECT / "build" / "images"
OWN_LICENCE = "Apache-2.0"
# The licence of GCC's OpenMP library.
OPENMP_LICENCE = "GPL-3.0-or-later WITH GCC-exception-3.1"
_NAMESPACE = uuid.UUID("8f7a4a58-5d6a-4c0c-9d6c-0f6f6a2f1c11")
_BASE = re.compile(r"(?P<name>[^@\s]+)@sha256:(?P<digest>[0-9a-f]{64})")


def main(arguments: list[str]) -> int:
    """Writes the file; returns 0, 1 for a tree that cannot be described, 2 for wrong arguments."""
    parser = argparse.ArgumentParser(prog="sbom", description="Writes the bill of materials of an image.")
    parser.add_argument("image", choices=("supervisor", "model-worker"))
    parser.add_argument("file", type=Path, help="file to write")
    parser.add_argument("--base", default="", help="base image by digest, as `make images` has it")
    parser.add_argument("--roots", type=Path, default=ROOTS, help="folder of the trees (default: build/images)")
    options = parser.parse_args(arguments)
    if options.base and not _BASE.fullmatch(options.base):
        parser.error(f"--base: {options.base!r} has no digest; give NAME@sha256:DIGEST")
    lock = PROJECT / "requirements" / f"{options.image}.txt"
    try:
        report = options.roots / f"{options.image}.packages.json"
        contents = read_contents(options.roots / options.image, report, lock)
        text = bill_of(options.image, contents, options.base)
    except WrongTree as error:
        print(error, file=sys.stderr)
        return 1
    options.file.parent.mkdir(parents=True, exist_ok=True)
    options.file.write_text(text, encoding="utf-8")
    print(f"{options.file}: {len(contents.packages)} packages, and the parts of ensemble-mesh {__version__}")
    return 0


def bill_of(image: str, contents: Contents, base: str = "") -> str:
    """Returns the bill of materials as JSON; raises WrongTree if it does not match the schema of CycloneDX 1.6."""
    licence = LicenseFactory().make_with_expression(OWN_LICENCE)
    whole = Component(
        name=f"ensemble-mesh/{image}",
        type=ComponentType.CONTAINER,
        version=__version__,
        licenses=[licence],
        bom_ref="image",
    )
    packages = {one.name: _package(one) for one in contents.packages}
    parts = [*packages.values(), *_own(contents), *_openmp(contents), _base(base)]
    epoch = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), UTC)
    bom = Bom(
        serial_number=uuid.uuid5(_NAMESPACE, repr((image, __version__, contents, base))),
        metadata=BomMetaData(component=whole, timestamp=epoch),
        components=parts,
    )
    bom.register_dependency(whole, parts)
    for one in contents.packages:
        bom.register_dependency(packages[one.name], [packages[name] for name in _required(one) if name in packages])
    text: str = JsonV1Dot6(bom).output_as_string(indent=2) + "\n"
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if fault is not None:
        raise WrongTree(f"the bill of materials does not match the schema of CycloneDX 1.6: {fault}")
    return text


def _package(one: Package) -> Component:
    return Component(
        name=one.name,
        version=one.version,
        licenses=[LicenseFactory().make_from_string(one.licence)] if one.licence else (),
        hashes=[_sha256(one.sha256)],
        purl=PackageURL("pypi", name=one.name, version=one.version),
        properties=[Property(name="ensemble-mesh:file", value=one.file)],
        components=[
            Component(name=name, hashes=[_sha256(digest)], bom_ref=f"{one.name}/{name}")
            for name, digest in one.libraries.items()
        ],
        bom_ref=one.name,
    )


def _own(contents: Contents) -> Iterator[Component]:
    licence = LicenseFactory().make_with_expression(OWN_LICENCE)
    package = "Python package of ensemble-mesh; the hash is that of the output of `sha256sum` for its sorted files"
    engine = "scoring engine of ensemble-mesh, compiled from C for this image"
    about = {**dict.fromkeys(contents.own, package), **dict.fromkeys(contents.engine, engine)}
    for name, digest in {**contents.own, **contents.engine}.items():
        yield Component(
            group="ensemble-mesh",
            name=name,
            version=__version__,
            description=about[name],
            licenses=[licence],
            hashes=[_sha256(digest)],
            bom_ref=f"ensemble-mesh/{name}",
        )


def _openmp(contents: Contents) -> Iterator[Component]:
    if contents.openmp is None or contents.openmp_from is None:
        return
    source = contents.openmp_from
    yield Component(
        name="libgomp",
        description=f"OpenMP of GCC, from the file {source.file} of {source.name} {source.version}",
        licenses=[LicenseFactory().make_with_expression(OPENMP_LICENCE)],
        hashes=[_sha256(contents.openmp)],
        properties=[Property(name="ensemble-mesh:from-sha256", value=source.sha256)],
        bom_ref="libgomp",
    )


def _base(base: str) -> Component:
    """The base image. Its publisher says what is in it; only its digest is known here."""
    found = _BASE.fullmatch(base)
    if found is None:
        about = "base image with Debian and Python, not named: give `make sbom BASE=NAME@sha256:DIGEST`"
        return Component(name="base-image", type=ComponentType.CONTAINER, description=about, bom_ref="base")
    return Component(
        name=found["name"],
        type=ComponentType.CONTAINER,
        version=f"sha256:{found['digest']}",
        description="base image with Debian and Python; its publisher says what it contains",
        hashes=[_sha256(found["digest"])],
        bom_ref="base",
    )


def _required(one: Package) -> Iterable[str]:
    for text in one.requires:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield canonicalize_name(requirement.name)


def _sha256(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
