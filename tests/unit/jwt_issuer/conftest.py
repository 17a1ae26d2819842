from pathlib import Path

import pytest

from jwt_issuer.config import Settings
from jwt_issuer.keys.keychain import Keychain
from jwt_issuer.keys.signing_key import SigningKey
from jwt_issuer.tokens import Mint
from jwt_issuer.upkeep import Upkeep
from service.environment import SharedSettings

from .looking import OVERLAP, SUBJECTS
from .rings import Clock, RingStore, a_key
from .stores import Lead, Tokens


@pytest.fixture
def key() -> SigningKey:
    return a_key(0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(key: SigningKey, clock: Clock) -> RingStore:
    return RingStore.with_first(key, clock)


@pytest.fixture
def keychain(store: RingStore, clock: Clock) -> Keychain:
    """It signs with `key`."""
    return Keychain(store, clock)


@pytest.fixture
def mint(keychain: Keychain, clock: Clock) -> Mint:
    return Mint(keychain, issuer="agentic-budgets", audience="mock-llm", ttl=600, clock=clock)


@pytest.fixture
def lead() -> Lead:
    return Lead()


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture
def upkeep(keychain: Keychain, mint: Mint, tokens: Tokens, lead: Lead, clock: Clock) -> Upkeep:
    return Upkeep(keychain, tokens, mint, SUBJECTS, lead, OVERLAP, clock=clock)


@pytest.fixture
def teams_file(tmp_path: Path) -> Path:
    path = tmp_path / "teams.yaml"
    path.write_text("teams: [{name: dba, description: Databases., users: [alice]}]", encoding="utf-8")
    return path


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what the machine that runs the tests may have set."""
    names = [f"jwt_issuer_{name}" for name in Settings.model_fields] + list(SharedSettings.model_fields)
    for name in names:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def settings(bare_environment: None, teams_file: Path, tmp_path: Path) -> Settings:
    return Settings(state=tmp_path / "state", teams=teams_file)
