"""Secrets that may hold virtual keys, and the policy that says in which of them they are."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from budgets.documents.found import Found, Metadata, Strict


@dataclass(frozen=True)
class SecretDocument:
    """A Kubernetes Secret, its values decoded. What they mean is read by `budgets.keys`."""

    file: Path
    namespace: str
    name: str
    labels: Mapping[str, str]
    entries: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class KeySource:
    """Which Secrets hold the virtual keys: the one of this name, or all that carry these labels. One of the two is None."""

    name: str | None = None
    labels: Mapping[str, str] | None = None


class Secret(Strict):
    model_config = ConfigDict(hide_input_in_errors=True)

    api_version: Literal["v1"]
    kind: Literal["Secret"]
    metadata: Metadata
    type: str = "Opaque"
    immutable: bool = False
    string_data: dict[str, str] = Field({}, repr=False)
    data: dict[str, str] = Field({}, repr=False)

    @field_validator("data")
    @classmethod
    def _decoded(cls, data: dict[str, str]) -> dict[str, str]:
        return {entry: _text(entry, value) for entry, value in data.items()}

    def document(self, found: Found, namespace: str) -> SecretDocument:
        """As in Kubernetes, `stringData` is written over `data`."""
        metadata = self.metadata
        return SecretDocument(found.file, namespace, metadata.name, metadata.labels, {**self.data, **self.string_data})


def _text(entry: str, value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except ValueError:
        raise ValueError(f"the entry {entry!r} is not base64 of UTF-8 text; write it under stringData as it is") from None


class SecretRef(Strict):
    name: str = Field(min_length=1)
    group: Literal[""] = ""
    kind: Literal["Secret", ""] = "Secret"


class SecretSelector(Strict):
    match_labels: dict[str, str] = Field(min_length=1)


class ApiKeyAuthentication(Strict):
    mode: Literal["Strict"] = "Strict"
    """The gateway lets no caller through that it does not know, so another mode would promise what it does not do."""
    secret_ref: SecretRef | None = None
    secret_selector: SecretSelector | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "ApiKeyAuthentication":
        if (self.secret_ref is None) == (self.secret_selector is None):
            raise ValueError("the keys come from either secretRef or secretSelector")
        return self

    @property
    def source(self) -> KeySource:
        if self.secret_ref:
            return KeySource(name=self.secret_ref.name)
        return KeySource(labels=self.secret_selector.match_labels if self.secret_selector else None)


class KeyTraffic(Strict):
    """Other fields, such as `rateLimit`, configure agentgateway; the limits themselves stand in documents of their own."""

    model_config = ConfigDict(extra="ignore")
    api_key_authentication: ApiKeyAuthentication | None = None


class KeyPolicySpec(Strict):
    model_config = ConfigDict(extra="ignore")
    traffic: KeyTraffic = KeyTraffic()


class AgentgatewayPolicy(Strict):
    api_version: Literal["agentgateway.dev/v1alpha1"]
    kind: Literal["AgentgatewayPolicy"]
    metadata: Metadata
    spec: KeyPolicySpec
    status: Any = None

    @property
    def key_source(self) -> KeySource | None:
        authentication = self.spec.traffic.api_key_authentication
        return authentication.source if authentication else None
