import pytest

from mock_llm.config import Settings
from mock_llm.faults import Fault
from mock_llm.latency import Latency
from mock_llm.usage import TokenRange
from service.environment import read_environment


def test_nothing_has_to_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"MOCK_LLM_{name.upper()}", raising=False)
    settings = read_environment(Settings)
    assert (settings.host, settings.port, settings.seed, settings.max_body) == ("127.0.0.1", 8201, None, 1 << 20)
    assert (settings.fault_rates, settings.models, settings.journal) == (None, None, 10_000)
    assert (settings.tokens, settings.latency) == (TokenRange(400, 1500), Latency(0, 0, 0, 0))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MOCK_LLM_PORT", "0"),
        ("MOCK_LLM_PORT", "65536"),
        ("MOCK_LLM_SEED", "seven"),
        ("MOCK_LLM_MAX_BODY", "0"),
        ("MOCK_LLM_MAX_BODY", "1MiB"),
        ("MOCK_LLM_TOKENS", "many"),
        ("MOCK_LLM_TOKENS", "400.."),
        ("MOCK_LLM_TOKENS", "-1..4"),
        ("MOCK_LLM_TOKENS", "1500..400"),
        ("MOCK_LLM_TOKENS", "0..10000001"),
        ("MOCK_LLM_TTFT_MS", "-1"),
        ("MOCK_LLM_TTFT_DEVIATION_MS", "soon"),
        ("MOCK_LLM_ITL_MS", "nan"),
        ("MOCK_LLM_ITL_DEVIATION_MS", "600001"),
        ("MOCK_LLM_JOURNAL", "-1"),
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


def test_an_empty_variable_is_unset_as_for_the_other_services(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(f"MOCK_LLM_{name.upper()}", "")
    assert read_environment(Settings) == Settings.model_construct()


def test_a_fault_that_is_none_is_told_the_others_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOCK_LLM_FAULT_RATES", "nope=0.1")
    with pytest.raises(SystemExit) as caught:
        read_environment(Settings)
    assert "'nope' is no fault" in str(caught.value)
    assert str(caught.value).count("no_usage") == 1


def test_the_fault_rates_are_a_list_of_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOCK_LLM_FAULT_RATES", " rate_limited=0.1, reset = 0.9 ,")
    assert read_environment(Settings).fault_rates == {Fault.RATE_LIMITED: 0.1, Fault.RESET: 0.9}


@pytest.mark.parametrize(("text", "tokens"), [("700", (700, 700)), (" 5 .. 9 ", (5, 9)), ("0..10000000", (0, 10_000_000))])
def test_the_tokens_are_a_number_or_a_range(monkeypatch: pytest.MonkeyPatch, text: str, tokens: tuple[int, int]) -> None:
    monkeypatch.setenv("MOCK_LLM_TOKENS", text)
    assert read_environment(Settings).tokens == TokenRange(*tokens)


def test_the_latency_is_four_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in enumerate(("TTFT_MS", "TTFT_DEVIATION_MS", "ITL_MS", "ITL_DEVIATION_MS"), 1):
        monkeypatch.setenv(f"MOCK_LLM_{name}", f"{number}.5")
    assert read_environment(Settings).latency == Latency(1.5, 2.5, 3.5, 4.5)
