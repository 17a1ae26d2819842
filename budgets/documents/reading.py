"""Reads a whole policy: which documents there are, and which of them count."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from budgets.documents.budgets import EnterpriseAgentgatewayBudget
from budgets.documents.catalogs import CatalogDocument, ConfigMap
from budgets.documents.descriptors import TreeDocument
from budgets.documents.errors import PolicyError
from budgets.documents.folders import folders_of
from budgets.documents.found import Found
from budgets.documents.rate_limit_config import RateLimitConfig
from budgets.documents.ratelimit_file import RateLimitFile
from budgets.documents.scope import Scope
from budgets.documents.secrets import KeySource, Secret, SecretDocument
from budgets.documents.typed import KINDS, Document, refuse_shared_names, typed


@dataclass(frozen=True)
class BudgetDocument:
    found: Found
    namespace: str
    content: EnterpriseAgentgatewayBudget


@dataclass(frozen=True)
class Documents:
    """What a policy says, document by document, of those that count."""

    namespace: str
    """The enforcing one."""
    trees: tuple[TreeDocument, ...] = ()
    budgets: tuple[BudgetDocument, ...] = ()
    secrets: tuple[SecretDocument, ...] = ()
    key_source: KeySource | None = None
    catalogs: tuple[CatalogDocument, ...] = ()
    ignored: tuple[str, ...] = ()
    """A sentence for each document that was found and does not count."""


def read_policy(path: Path, domain: str | None = None) -> Documents:
    """Raises PolicyError. `domain` is the one that is served; without it the domains of plain files are not looked at."""
    folders = folders_of(path)
    found = [typed(each, folder.namespace) for folder in folders for each in folder.documents]
    if not found and not folders[0].catalogs:
        raise PolicyError(path, "", f"holds no document; there are {', '.join(KINDS)} and envoyproxy/ratelimit files")
    refuse_shared_names(found)
    scope = Scope.of(found, folders[0].namespace)
    unused = {id(each): reason for each in found if (reason := scope.unused_because(each))}
    used = [each for each in found if id(each) not in unused]
    return Documents(
        scope.enforcing,
        tuple(_trees(used, domain)),
        tuple(
            BudgetDocument(each.found, each.namespace, each.content)
            for each in used
            if isinstance(each.content, EnterpriseAgentgatewayBudget)
        ),
        tuple(each.content.document(each.found, each.namespace) for each in used if isinstance(each.content, Secret)),
        scope.key_source,
        (*folders[0].catalogs, *(each.content.document(each.found) for each in used if isinstance(each.content, ConfigMap))),
        (
            *(f"{each.found.file}: the {each} is not used: {unused[id(each)]}" for each in found if id(each) in unused),
            *(f"{each.file} is not used: {scope.of_the_platform}" for folder in folders[1:] for each in folder.catalogs),
        ),
    )


def _trees(used: Iterable[Document], domain: str | None) -> Iterator[TreeDocument]:
    for each in used:
        if isinstance(each.content, RateLimitConfig):
            yield each.content.tree(each.found, each.namespace)
        elif isinstance(each.content, RateLimitFile):
            yield each.content.tree(each.found, each.namespace, domain)
