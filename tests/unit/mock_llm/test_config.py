import pytest

from mock_llm.config import Settings
from mock_llm.faults import Fault
from service.environment import read_environment


def test_nothing_has_to_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "PORT", "SEED", "MAX_BODY", "FAULT_RATES"):
        monkeypatch.delenv(f"MOCK_LLM_{name}", raising=False)
    settings = read_environment(Settings)
    assert (settings.host, settings.port, settings.seed, settings.max_body) == ("127.0.0.1", 8201, None, 1 << 20)
    assert settings.fault_rates is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MOCK_LLM_PORT", "0"),
        ("MOCK_LLM_PORT", "65536"),
        ("MOCK_LLM_SEED", "seven"),
        ("MOCK_LLM_MAX_BODY", "0"),
        ("MOCK_LLM_MAX_BODY", "1MiB"),
        ("MOCK_LLM_FAULT_RATES", "nope=0.1"),
        ("MOCK_LLM_FAULT_RATES", "reset"),
        ("MOCK_LLM_FAULT_RATES", "reset=x"),
        ("MOCK_LLM_FAULT_RATES", "reset=nan"),
        ("MOCK_LLM_FAULT_RATES", "reset=-0.1"),
        ("MOCK_LLM_FAULT_RATES", "reset=0.6,cut=0.6"),
    ],
)
def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit, match=f"{variable} is wrong: "):
        read_environment(Settings)


def test_the_fault_rates_are_a_list_of_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOCK_LLM_FAULT_RATES", " rate_limited=0.1, reset = 0.9 ,")
    assert read_environment(Settings).fault_rates == {Fault.RATE_LIMITED: 0.1, Fault.RESET: 0.9}
