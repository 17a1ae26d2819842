from hypothesis import given
from hypothesis import strategies as st

from runner.output import LONGEST, Lines


def lines_of(*chunks: bytes) -> list[str]:
    lines = Lines()
    return [line for chunk in chunks for line in lines.feed(chunk)] + lines.end()


def test_lines_are_whole_however_the_bytes_arrive() -> None:
    assert lines_of(b"one\ntw", b"o\n\nth", b"ree") == ["one", "two", "", "three"]


def test_a_character_cut_in_two_is_one_character() -> None:
    euro = "€".encode()
    assert lines_of(euro[:1], euro[1:] + b"\n") == ["€"]


def test_bytes_that_are_not_utf8_are_marked_and_the_rest_is_kept() -> None:
    assert lines_of(b"a\xff\xfeb\nnext\n", b"\xe2") == ["a��b", "next", "�"]


def test_a_windows_line_end_is_a_line_end() -> None:
    assert lines_of(b"one\r\ntwo\r\n") == ["one", "two"]


def test_a_long_line_comes_in_pieces_and_nothing_is_lost() -> None:
    pieces = lines_of(b"x" * (2 * LONGEST + 1), b"y\nnext\n")
    assert [len(piece) for piece in pieces] == [LONGEST, LONGEST, 2, 4]
    assert "".join(pieces) == "x" * (2 * LONGEST + 1) + "ynext"


def test_an_endless_line_is_not_kept_in_memory() -> None:
    lines = Lines()
    passed_on = sum(len(piece) for _ in range(50) for piece in lines.feed(b"x" * 10_000))
    assert 500_000 - LONGEST <= passed_on <= 500_000


def test_a_line_of_exactly_the_longest_length_is_one_line() -> None:
    assert lines_of(b"x" * LONGEST, b"\n") == ["x" * LONGEST]


@given(st.lists(st.binary(max_size=50)))
def test_any_bytes_give_the_same_lines_in_any_chunks(chunks: list[bytes]) -> None:
    assert lines_of(*chunks) == lines_of(b"".join(chunks))
