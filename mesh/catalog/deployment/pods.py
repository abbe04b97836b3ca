"""The catalog blocks for pods: environment, scheduling, labels and volumes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field

from mesh.block import Block, Text

Items = Annotated[tuple[Mapping[str, Any], ...], Field(strict=False)]
Names = Annotated[tuple[Text, ...], Field(strict=False)]
# The selectors of Deployments, Services and HPAs.
_OWN_LABELS = r"^(app\.kubernetes\.io/(name|component)$|ensemble-mesh/)"
_OWN_VOLUMES = ("tmp", "files", "catalog", "inputs", "tls")
_OWN_VARIABLES = ("POD_NAMESPACE",)


def _labels(labels: Mapping[str, str]) -> Mapping[str, str]:
    own = sorted(name for name in labels if re.search(_OWN_LABELS, name))
    if own:
        raise ValueError(f"{', '.join(own)}: the chart sets this label, by which it selects pods; use another name")
    return labels


def _volumes(volumes: Mapping[str, Volume]) -> Mapping[str, Volume]:
    own = sorted(set(volumes).intersection(_OWN_VOLUMES))
    if own:
        raise ValueError(f"{', '.join(own)}: is the name of a volume of the chart; use another name")
    return volumes


def _variables(env: Mapping[str, Any]) -> Mapping[str, Any]:
    own = sorted(set(env).intersection(_OWN_VARIABLES))
    if own:
        raise ValueError(f"{', '.join(own)}: the chart sets this variable; use another name")
    return env


class EnvSource(Block):
    """The source of an environment variable, with the keys of Kubernetes; exactly one of them."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    secret_key_ref: Mapping[str, Any] | None = Field(None, alias="secretKeyRef")
    config_map_key_ref: Mapping[str, Any] | None = Field(None, alias="configMapKeyRef")
    field_ref: Mapping[str, Any] | None = Field(None, alias="fieldRef")
    resource_field_ref: Mapping[str, Any] | None = Field(None, alias="resourceFieldRef")


def _one_source(source: EnvSource) -> EnvSource:
    if len(source.model_fields_set) != 1:
        known = ", ".join(str(field.alias) for field in EnvSource.model_fields.values())
        raise ValueError(f"must have exactly one source; use one of {known}")
    return source


class Variable(Block):
    """An environment variable whose value is read from a Secret, a ConfigMap or a field of the pod."""

    value_from: Annotated[EnvSource, AfterValidator(_one_source)] = Field(alias="valueFrom")


class Volume(Block):
    """A volume of the pod, and the folder in the container where it is mounted."""

    mount: Annotated[str, Field(pattern=r"^/")] = Field(description="absolute path in the container")
    read_only: bool = True
    sub_path: Text | None = Field(None, description="path within the volume")
    source: Mapping[str, Any] = Field(description="volume source of Kubernetes, such as {secret: {secretName: NAME}}")


Env = Annotated[
    Mapping[str, str | Variable],
    AfterValidator(_variables),
    Field(json_schema_extra={"propertyNames": {"not": {"enum": list(_OWN_VARIABLES)}}}),
]
Labels = Annotated[
    Mapping[str, str],
    AfterValidator(_labels),
    Field(json_schema_extra={"propertyNames": {"not": {"pattern": _OWN_LABELS}}}),
]
Volumes = Annotated[
    Mapping[str, Volume],
    AfterValidator(_volumes),
    Field(json_schema_extra={"propertyNames": {"not": {"enum": list(_OWN_VOLUMES)}}}),
]


class Pod(Block):
    """Settings of pods. Mappings are merged key by key with those of the level above; other values replace them."""

    env: Env = Field(default_factory=dict, description="environment variables: a text, or valueFrom as in Kubernetes")
    labels: Labels = Field(default_factory=dict, description="labels of the pods")
    annotations: Mapping[str, str] = Field(default_factory=dict, description="annotations of the pods")
    node_selector: Mapping[str, str] = Field(default_factory=dict, description="labels of the nodes")
    tolerations: Items | None = Field(None, description="tolerations of Kubernetes")
    affinity: Mapping[str, Any] | None = Field(None, description="affinity of Kubernetes")
    priority_class: Text | None = Field(None, description="name of a PriorityClass")
    image_pull_secrets: Names | None = Field(None, description="names of Secrets for the image registry")
    volumes: Volumes = Field(default_factory=dict, description="additional volumes by name")

    def __hash__(self) -> int:
        """Hashes the text of the block: its mappings have no hash, but a model of the catalog must have one."""
        return hash(self.model_dump_json())
