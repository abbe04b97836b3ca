"""The base class of all catalog blocks, and the types of their texts and URIs.

It is not in `mesh.catalog`, because the lower layer `mesh.players` defines a block, too.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

HAS_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://")


class Block(BaseModel):
    """A block of the catalog: frozen; rejects unknown keys and values of another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _absolute(uri: str, info: ValidationInfo) -> str:
    folder = (info.context or {}).get("folder")
    path = uri.removeprefix("file:").removeprefix("//") if uri.startswith("file:") else uri
    if folder is None or HAS_SCHEME.match(path):
        return path
    return str(Path(folder, path))


Uri = Annotated[str, Field(min_length=1), AfterValidator(_absolute)]
Text = Annotated[str, Field(min_length=1)]
