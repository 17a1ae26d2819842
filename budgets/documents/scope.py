"""Which documents count: those of the enforcing namespace, and those that it discovers in others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from budgets.documents.budgets import EnterpriseAgentgatewayBudget
from budgets.documents.catalogs import ConfigMap
from budgets.documents.enforcement import EnterpriseAgentgatewayPolicy, Namespace, Namespaces
from budgets.documents.rate_limit_config import RateLimitConfig
from budgets.documents.ratelimit_file import RateLimitFile
from budgets.documents.secrets import AgentgatewayPolicy, KeySource, Secret
from budgets.documents.typed import Document


@dataclass(frozen=True)
class Scope:
    enforcing: str
    discovered: Namespaces
    labels: Mapping[str, Mapping[str, str]]
    """Of each namespace that the platform describes."""
    key_source: KeySource | None

    @classmethod
    def of(cls, documents: Sequence[Document], enforcing: str) -> "Scope":
        """Raises PolicyError where the documents contradict each other, or decide what another namespace decides."""
        _refuse_misplaced(documents, enforcing)
        policies = [each for each in documents if isinstance(each.content, EnterpriseAgentgatewayPolicy)]
        _refuse_a_second(policies, "enforcement policy")
        sources = [each for each in documents if each.namespace == enforcing and _key_source(each)]
        _refuse_a_second(sources, "policy with apiKeyAuthentication")
        return cls(
            enforcing,
            next(
                (each.content.namespaces for each in policies if isinstance(each.content, EnterpriseAgentgatewayPolicy)), SAME
            ),
            {each.name: each.content.metadata.labels for each in documents if isinstance(each.content, Namespace)},
            next(map(_key_source, sources), None),
        )

    @property
    def of_the_platform(self) -> str:
        return f"prices and the source of keys are read in the namespace {self.enforcing!r} only"

    def counts(self, namespace: str) -> bool:
        return namespace == self.enforcing or self.discovered.take(self.labels.get(namespace, {}))

    def unused_because(self, document: Document) -> str | None:
        """Why a document does not count; None where it does."""
        namespace, elsewhere = document.namespace, document.namespace != self.enforcing
        match document.content:
            case RateLimitConfig() | RateLimitFile() | EnterpriseAgentgatewayBudget() | Secret() if not self.counts(namespace):
                return f"the namespace {namespace!r} is not discovered; an EnterpriseAgentgatewayPolicy says which ones are"
            case Secret() if elsewhere and self.key_source and self.key_source.name:
                return f"secretRef names a Secret of the namespace {self.enforcing!r}"
            case ConfigMap() | AgentgatewayPolicy() if elsewhere:
                return self.of_the_platform
            case AgentgatewayPolicy() as policy if policy.key_source is None:
                return "only apiKeyAuthentication is read of such a policy, and it has none"
        return None


SAME = Namespaces()


def _key_source(document: Document) -> KeySource | None:
    return document.content.key_source if isinstance(document.content, AgentgatewayPolicy) else None


def _refuse_misplaced(documents: Sequence[Document], enforcing: str) -> None:
    for each in documents:
        if isinstance(each.content, EnterpriseAgentgatewayPolicy | Namespace) and each.namespace != enforcing:
            reason = f"the {each} decides which documents count, so only the namespace {enforcing!r} may hold it; put it there"
            raise each.found.error(("kind",), reason)


def _refuse_a_second(policies: Sequence[Document], what: str) -> None:
    """Of two, one would have no effect, and nobody would hear of it."""
    if len(policies) > 1:
        first, second = policies[:2]
        raise second.found.error((), f"the {first} in {first.found.file} is the {what} already; put both into one")
