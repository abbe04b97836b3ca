"""The base class of all catalog blocks, and the types of their texts and URIs.

It is not in `mesh.catalog`, because the lower layer `mesh.players` defines a block, too.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from mesh.roots import Roots

LEAVES_ROOT = "leaves_root"  # the type of the error of a path outside of the folders of the mesh
HAS_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://")


class Block(BaseModel):
    """A block of the catalog: frozen; rejects unknown keys and values of another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _absolute(uri: str, info: ValidationInfo, *, may_be_elsewhere: bool = False) -> str:
    folder = (info.context or {}).get("folder")
    path = uri.removeprefix("file:").removeprefix("//") if uri.startswith("file:") else uri
    if folder is None or HAS_SCHEME.match(path):
        return path
    roots = folder if isinstance(folder, Roots) else Roots(folder)
    try:
        return roots.place(path, may_be_elsewhere=may_be_elsewhere)
    except ValueError as error:
        raise PydanticCustomError(LEAVES_ROOT, "{reason}", {"reason": str(error)}) from error


def _of_worker(uri: str, info: ValidationInfo) -> str:
    return _absolute(uri, info, may_be_elsewhere=True)


Uri = Annotated[str, Field(min_length=1), AfterValidator(_absolute)]
# Of a file that the workers open: an absolute path is a place in their image.
WorkerUri = Annotated[str, Field(min_length=1), AfterValidator(_of_worker)]
Text = Annotated[str, Field(min_length=1)]
