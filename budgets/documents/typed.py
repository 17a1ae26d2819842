"""Documents of a known kind."""

from collections.abc import Iterable
from dataclasses import dataclass

from budgets.documents.budgets import EnterpriseAgentgatewayBudget
from budgets.documents.catalogs import ConfigMap
from budgets.documents.enforcement import EnterpriseAgentgatewayPolicy, Namespace
from budgets.documents.found import Found
from budgets.documents.rate_limit_config import RateLimitConfig
from budgets.documents.ratelimit_file import RateLimitFile
from budgets.documents.secrets import AgentgatewayPolicy, Secret

Kind = (
    RateLimitConfig
    | EnterpriseAgentgatewayBudget
    | EnterpriseAgentgatewayPolicy
    | AgentgatewayPolicy
    | Secret
    | ConfigMap
    | Namespace
)

KINDS: dict[str, type[Kind]] = {
    "RateLimitConfig": RateLimitConfig,
    "EnterpriseAgentgatewayBudget": EnterpriseAgentgatewayBudget,
    "EnterpriseAgentgatewayPolicy": EnterpriseAgentgatewayPolicy,
    "AgentgatewayPolicy": AgentgatewayPolicy,
    "Secret": Secret,
    "ConfigMap": ConfigMap,
    "Namespace": Namespace,
}


@dataclass(frozen=True)
class Document:
    found: Found
    namespace: str
    content: Kind | RateLimitFile

    @property
    def name(self) -> str:
        """Its own, or its file's where that format knows no names."""
        return self.found.file.stem if isinstance(self.content, RateLimitFile) else self.content.metadata.name

    @property
    def kind(self) -> str:
        return "envoyproxy/ratelimit file" if isinstance(self.content, RateLimitFile) else self.content.kind

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r}"


def typed(found: Found, namespace: str) -> Document:
    """Raises PolicyError."""
    kind = found.field("kind")
    if kind is None and not {"domain", "descriptors"}.isdisjoint(found.keys):
        return Document(found, namespace, found.read_as(RateLimitFile))
    if not isinstance(kind, str) or kind not in KINDS:
        there_are = f"there are {', '.join(KINDS)}, and envoyproxy/ratelimit files, which have domain and descriptors"
        raise found.error(("kind",) if found.keys else (), f"{_said(kind)}; {there_are}")
    content: Kind = found.read_as(KINDS[kind])
    if isinstance(content, EnterpriseAgentgatewayBudget):
        content.refuse_shared_names(found)
    return Document(found, namespace, content)


def refuse_shared_names(documents: Iterable[Document]) -> None:
    """In one namespace a name stands for one document of a kind, and for one that has descriptors. Raises PolicyError."""
    first: dict[tuple[str, str, str], Document] = {}
    for document in documents:
        has_descriptors = isinstance(document.content, RateLimitConfig | RateLimitFile)
        family = "descriptors" if has_descriptors else document.kind
        before = first.setdefault((document.namespace, family, document.name), document)
        if before is not document:
            reason = f"the name {document.name!r} is taken by the {before.kind} in {before.found.file}; give it another"
            raise document.found.error((), reason)


def _said(kind: object) -> str:
    return "no kind is given" if kind is None else f"{str(kind)[:80]!r} is not known here"
