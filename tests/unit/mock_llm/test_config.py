import pytest

from mock_llm.config import Settings
from service.environment import read_environment


def test_nothing_has_to_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "PORT", "SEED", "MAX_BODY"):
        monkeypatch.delenv(f"MOCK_LLM_{name}", raising=False)
    settings = read_environment(Settings)
    assert (settings.host, settings.port, settings.seed, settings.max_body) == ("127.0.0.1", 8201, None, 1 << 20)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MOCK_LLM_PORT", "0"),
        ("MOCK_LLM_PORT", "65536"),
        ("MOCK_LLM_SEED", "seven"),
        ("MOCK_LLM_MAX_BODY", "0"),
        ("MOCK_LLM_MAX_BODY", "1MiB"),
    ],
)
def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit, match=f"{variable} is wrong: "):
        read_environment(Settings)
