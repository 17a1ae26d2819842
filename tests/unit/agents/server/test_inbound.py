import math

import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st

from agents.extension import URI
from agents.lineage import Lineage
from agents.run import Run
from agents.server.inbound import LONGEST, MOST_AGENTS, UNREADABLE, check_allowance, check_path, read_lineage
from agents.usage import LARGEST

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def read(said: object = None, context: str = "context", **headers: str) -> Lineage:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_lineage("alice@example.com", told, {URI: said}, context)


def test_headers_and_metadata_are_read_into_a_lineage() -> None:
    said = {"path": ["kagent/dba-agent", "web-agent"], "allowance": {"tokens": 2000}}
    lineage = read(said, x_kagent_root_context_id="root", traceparent=TRACE)
    assert lineage == Lineage("alice@example.com", "root", ("kagent/dba-agent", "web-agent"), TRACE, 2000)


def test_protobufs_struct_is_read_like_a_dict() -> None:
    metadata = Struct()
    metadata.update({URI: {"path": ["a", "b"], "allowance": {"tokens": 7}}})
    lineage = read_lineage("", {}, metadata, "context")  # type: ignore[arg-type]
    assert (lineage.path, lineage.allowance) == (("a", "b"), 7)


def test_a_caller_that_says_nothing_stands_at_the_root() -> None:
    assert read_lineage("", {}, {}, "context") == Lineage(root_context="context")


def test_names_and_contexts_are_one_line_of_bounded_length() -> None:
    lineage = read({"path": ["a\nb\x1b[31m", "c" * 1000]}, x_kagent_root_context_id="ro\not" + "t" * 1000)
    assert lineage.path == ("ab[31m", "c" * LONGEST)
    assert lineage.root_context == "root" + "t" * (LONGEST - 5)


@pytest.mark.parametrize("value", ["", "x", TRACE + "-00", TRACE.upper(), "00-" + "0" * 60])
def test_a_traceparent_of_another_form_is_left_out(value: str) -> None:
    assert read(traceparent=value).traceparent == ""


@pytest.mark.parametrize("path", [None, 7, "a,b", {"a": 1}, b"ab"])
def test_what_is_no_list_is_no_path(path: object) -> None:
    assert read({"path": path}).path == ()


def test_what_is_no_name_is_still_a_hop() -> None:
    assert read({"path": [None, 7, "", "a", ["b"]]}).path == ("?", "?", "?", "a", "?")


def test_a_path_without_end_is_cut() -> None:
    assert len(read({"path": ["a"] * 100_000}).path) == MOST_AGENTS


@pytest.mark.parametrize(
    ("allowance", "tokens"),
    [(None, None), ({"tokens": 0}, 0), ({"tokens": 10.7}, 10), ({"tokens": 1e300}, LARGEST), ({"tokens": 10**400}, LARGEST)],
)
def test_an_allowance_is_a_number_of_tokens(allowance: object, tokens: int | None) -> None:
    lineage = read({"allowance": allowance})
    assert lineage.allowance == tokens
    assert check_allowance(lineage) is None


@pytest.mark.parametrize(
    "allowance", [{}, 5, "5", [], {"tokens": None}, {"tokens": "5"}, {"tokens": True},
                  {"tokens": -1}, {"tokens": math.nan}, {"tokens": math.inf}, {"tokens": [5]}, {"usd": 1}],
)  # fmt: skip
def test_an_allowance_that_cannot_be_read_refuses_the_task(allowance: object) -> None:
    lineage = read({"allowance": allowance})
    assert lineage.allowance == UNREADABLE
    assert "allowance" in (check_allowance(lineage) or "")
    assert Run(lineage=lineage).allowance_left == 0


def test_a_circle_is_refused_and_named() -> None:
    why = check_path(Lineage(path=("web", "a", "b")), "a", 16)
    assert why is not None
    assert "a -> b -> a." in why
    assert "web" not in why


def test_a_name_is_compared_as_it_was_read() -> None:
    assert check_path(read({"path": ["c" * 1000]}), "c" * 1000, 16) is not None


def test_the_bound_on_hops_counts_this_agent() -> None:
    assert check_path(Lineage(path=("a", "b", "c")), "d", 4) is None
    why = check_path(Lineage(path=("a", "b", "c", "d")), "e", 4)
    assert why is not None
    assert "a -> b -> c -> d -> ..." in why


def test_the_root_is_not_refused() -> None:
    assert check_path(Lineage(), "a", 1) is None


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.dictionaries(st.sampled_from(["tokens"]), inner),
    max_leaves=20,
)


@given(
    headers=st.dictionaries(st.sampled_from(["x-kagent-root-context-id", "traceparent"]), st.text()),
    said=anything | st.fixed_dictionaries({}, optional={"path": anything, "allowance": anything}),
    context=st.text(),
)
def test_no_caller_can_say_what_is_not_read(headers: dict[str, str], said: object, context: str) -> None:
    lineage = read_lineage("", headers, {URI: said}, context)
    assert len(lineage.path) <= MOST_AGENTS
    assert all(name.isprintable() and 0 < len(name) <= LONGEST for name in lineage.path)
    assert lineage.root_context.isprintable()
    assert len(lineage.user) <= LONGEST
    assert not set(lineage.user) & set("\r\n\0\x1b\x7f")
    assert lineage.allowance is None or UNREADABLE <= lineage.allowance <= LARGEST
    for why in (check_path(lineage, "own", 4), check_allowance(lineage)):
        assert why is None or why.isprintable()
