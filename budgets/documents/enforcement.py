"""Discovery: from which namespaces documents count.

The platform says so in its own namespace, in an `EnterpriseAgentgatewayPolicy`; a namespace is described by a `Namespace`
document there too, for whoever could label its own namespace could choose to be discovered.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from budgets.documents.found import Metadata, Strict


class LabelSelector(Strict):
    match_labels: dict[str, str] = Field(min_length=1)


class Namespaces(Strict):
    from_: Literal["Same", "Selector", "All"] = Field(default="Same", validation_alias="from")
    selector: LabelSelector | None = None

    @model_validator(mode="after")
    def _selector_with_selector(self) -> "Namespaces":
        if (self.selector is not None) != (self.from_ == "Selector"):
            raise ValueError("selector goes with from: Selector, and only with it")
        return self

    def take(self, labels: Mapping[str, str]) -> bool:
        """Whether documents of another namespace with these labels count. Those of the enforcing namespace always do."""
        selected = self.selector.match_labels if self.selector else {}
        return self.from_ == "All" or (self.from_ == "Selector" and selected.items() <= labels.items())


class Discovery(Strict):
    namespaces: Namespaces = Namespaces()


class Enforcement(Strict):
    discovery: Discovery = Discovery()


class Traffic(Strict):
    ent_budget_enforcement: Enforcement


class TargetRef(Strict):
    """What a cluster's gateway enforces the budgets on; here one gateway enforces them on every call."""

    group: str
    kind: str
    name: str
    section_name: str | None = None


class EnforcementSpec(Strict):
    target_refs: tuple[TargetRef, ...] = Field(min_length=1, strict=False)
    traffic: Traffic


class EnterpriseAgentgatewayPolicy(Strict):
    api_version: Literal["enterpriseagentgateway.solo.io/v1alpha1"]
    kind: Literal["EnterpriseAgentgatewayPolicy"]
    metadata: Metadata
    spec: EnforcementSpec
    status: Any = None

    @property
    def namespaces(self) -> Namespaces:
        return self.spec.traffic.ent_budget_enforcement.discovery.namespaces


class Namespace(Strict):
    api_version: Literal["v1"]
    kind: Literal["Namespace"]
    metadata: Metadata
    spec: Any = None
    status: Any = None
