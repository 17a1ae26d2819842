from pathlib import Path

import pytest

from runner.config import Settings
from runner.ports import Ports
from runner.system import System
from service.environment import read_environment


@pytest.mark.parametrize(("own", "served"), [(None, "the-users"), ("the-demos", "the-demos")])
def test_gateway_and_budget_service_share_the_users_domain_unless_the_system_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str | None, served: str
) -> None:
    monkeypatch.setenv("BUDGETS_DOMAIN", "the-users")
    with Ports() as ports:
        system = System(tmp_path, read_environment(Settings), ports, default_ports=False, domain=own)
        assert system.programs.budgets("redis://s").environment["BUDGETS_DOMAIN"] == served
        assert system.programs.gateway().environment["GATEWAY_DOMAIN"] == served
