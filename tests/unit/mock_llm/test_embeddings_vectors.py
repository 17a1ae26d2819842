import base64
import math
import struct

import pytest

from mock_llm.embeddings.vectors import in_base64, vector


def nearness(one: str, other: str) -> float:
    return sum(a * b for a, b in zip(vector(one, 1536), vector(other, 1536), strict=True))


@pytest.mark.parametrize("text", ["one", "one two three", " ", "", "the\tsame the same", "\N{GRINNING FACE} 1 2"])
@pytest.mark.parametrize("dimensions", [1, 2, 7, 1536, 3072])
def test_a_vector_has_length_1_and_so_many_dimensions(text: str, dimensions: int) -> None:
    numbers = vector(text, dimensions)
    assert len(numbers) == dimensions
    assert math.isclose(math.hypot(*numbers), 1, abs_tol=1e-5)


def test_the_same_text_has_the_same_vector() -> None:
    assert vector("why is it down", 64) == vector("why is it down", 64)
    assert vector("why is it down", 64) != vector("why is it up", 64)


def test_letters_may_be_of_any_case_and_numbers_of_either_sign() -> None:
    assert vector("Why IS it", 64) == vector("why is it", 64)
    assert min(vector("why is it", 64)) < 0 < max(vector("why is it", 64))


def test_shared_words_bring_texts_nearer() -> None:
    question = "why is the database slow"
    assert nearness(question, "Why is the database down") > nearness(question, "why are bananas yellow")
    assert nearness(question, "bananas ripen indoors") < 0.3


def test_base64_is_of_little_endian_floats() -> None:
    numbers = vector("why is it down", 16)
    assert struct.unpack("<16f", base64.b64decode(in_base64(numbers))) == tuple(numbers)


def test_base64_is_little_endian_on_a_big_endian_machine_too(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = vector("why is it down", 4)
    swapped = numbers[:]
    swapped.byteswap()
    monkeypatch.setattr("sys.byteorder", "big")
    assert in_base64(swapped) == base64.b64encode(numbers).decode()
    assert swapped != numbers
