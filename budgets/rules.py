"""All that is in force together: the budgets, the prices and the virtual keys of one set of policy documents."""

from dataclasses import dataclass
from pathlib import Path

from budgets.documents.errors import PolicyError
from budgets.matching.policy import Policy
from budgets.pricing.prices import Prices
from budgets.virtual_keys.keys import KeyRing


@dataclass(frozen=True)
class Rules:
    policy: Policy
    prices: Prices
    keys: KeyRing

    @classmethod
    def read(cls, path: Path, domain: str | None = None) -> "Rules":
        """Of a file or a folder. Raises PolicyError, and nothing else: what no reader foresaw is a wrong document too."""
        try:
            return cls._read(path, domain)
        except PolicyError:
            raise
        except Exception as error:
            raise PolicyError(path, "", f"cannot be read, for a reason that was not foreseen: {error!r:.200}") from error

    @classmethod
    def _read(cls, path: Path, domain: str | None) -> "Rules":
        policy = Policy.read(path, domain)
        documents = policy.documents
        return cls(policy, Prices(documents.catalogs), KeyRing.from_documents(documents.secrets, documents.key_source))

    @property
    def warnings(self) -> tuple[str, ...]:
        return (*self.policy.warnings, *self.prices.warnings, *self.keys.warnings)
