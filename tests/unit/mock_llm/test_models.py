from pathlib import Path

import pytest

from mock_llm.errors import ApiError
from mock_llm.latency import Latency
from mock_llm.models import DEFAULT_MODEL, Models, Served
from mock_llm.models_file import ModelsError
from mock_llm.usage import TokenRange

RANGE = TokenRange(400, 1500)
MODELS = """\
models:
  - id: mock-essay-7b
    usage: {prompt_tokens: 56, completion_tokens: 700, cached_tokens: 6}
    latency: {ttft_ms: 200, itl_deviation_ms: 2.5}
  - id: big
    usage: {completion_tokens: {min: 400, max: 900}}
  - id: org/text-embed
"""


AT_ONCE = Latency()


def read(folder: Path, text: str, latency: Latency = AT_ONCE) -> Models:
    file = folder / "models.yaml"
    file.write_text(text, encoding="utf-8")
    return Models(file, RANGE, latency)


def test_without_a_file_every_model_is_served_alike() -> None:
    models = Models(None, RANGE, Latency())
    assert models.find("anything") == Served(RANGE, Latency())
    assert (models.names, models.default) == ((DEFAULT_MODEL,), DEFAULT_MODEL)


def test_a_file_says_what_each_model_does_and_the_rest_is_the_default(tmp_path: Path) -> None:
    models = read(tmp_path, MODELS, Latency(itl_ms=3))
    assert models.names == ("mock-essay-7b", "big", "org/text-embed")
    assert models.find("mock-essay-7b") == Served(TokenRange(700, 700), Latency(200, 0, 3, 2.5), 56, 6)
    assert models.find("big") == Served(TokenRange(400, 900), Latency(itl_ms=3))
    assert models.find("org/text-embed") == Served(RANGE, Latency(itl_ms=3))


def test_a_model_that_is_not_in_the_file_is_refused_as_openai_does(tmp_path: Path) -> None:
    with pytest.raises(ApiError) as caught:
        read(tmp_path, MODELS).find("gpt-4o")
    assert (caught.value.status, caught.value.code, caught.value.param) == (404, "model_not_found", "model")
    assert "'gpt-4o'" in caught.value.message


def test_a_request_that_names_no_model_gets_the_first(tmp_path: Path) -> None:
    assert read(tmp_path, "models: [{id: b}, {id: a}]").default == "b"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the list of models is empty: write `models:` and below it `- id: mock-essay-7b`."),
        ("[]", "the document: a mapping is expected: write field: value."),
        ("models: [{id: a, latency: {itl_ms: 600001}}]", "models[0].latency.itl_ms: it is above 600000: write less."),
        (f"models: [{{id: {'a' * 257}}}]", "models[0].id: the text is longer than 256 characters: shorten it."),
        ("{}", "models: this field is missing: add it."),
        ("models: []", "models: the list is empty: write at least one model."),
        ("models: [{}]", "models[0].id: this field is missing: add it."),
        ("models: [{id: 7}]", "models[0].id: text is expected: put it into quotes."),
        ("models: [{id: 'a b'}]", "models[0].id: a model's name has no white space: take it out."),
        ("models: [{id: a, price: 1}]", "models[0].price: this field is unknown: take it out."),
        ("models: [{id: a}, {id: a}]", "models[1].id: 'a' is taken by models[0]: name this one otherwise."),
        (
            "models: [{id: a, usage: {prompt_tokens: many}}]",
            "models[0].usage.prompt_tokens: a whole number is expected: write it without quotes.",
        ),
        (
            "models: [{id: a, usage: {completion_tokens: -1}}]",
            "models[0].usage.completion_tokens.min: it is below 0: write more.",
        ),
        ("models: [{id: a, usage: {completion_tokens: x}}]", "models[0].usage.completion_tokens: a number of tokens is "),
        (
            "models: [{id: a, usage: {completion_tokens: {min: 9, max: 1}}}]",
            "models[0].usage.completion_tokens: min is more than max: exchange them.",
        ),
        ("models: [{id: a, latency: {ttft_ms: -1}}]", "models[0].latency.ttft_ms: it is below 0: write more."),
        (
            "models: [{id: a, latency: {ttft_ms: .nan}}]",
            "models[0].latency.ttft_ms: a finite number is expected: write milliseconds.",
        ),
        ("models: [", "the list of models is not YAML: "),
        ("models: [{id: a}]\n---\nmodels: [{id: b}]", "the list of models is 2 documents: put all models into one."),
    ],
)
def test_a_wrong_file_is_one_sentence_with_the_place(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ModelsError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path}/models.yaml: {reason}")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelsError, match=r"no.yaml: the list of models cannot be read: No such file or directory: put it"):
        Models(tmp_path / "no.yaml", RANGE, Latency())
