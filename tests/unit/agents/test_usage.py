from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.usage import DEEPEST, LARGEST, WIDEST, Usage, UsageTree, tokens

numbers = st.integers(0, 1_000_000)
trees = st.recursive(
    st.builds(UsageTree, st.text(max_size=20), st.builds(Usage, numbers, numbers, numbers), numbers),
    lambda peers: st.builds(
        UsageTree, st.text(max_size=20), st.builds(Usage, numbers, numbers, numbers), numbers, st.lists(peers, max_size=3)
    ),
    max_leaves=6,
)


def everyone(tree: UsageTree) -> list[UsageTree]:
    return [tree, *(one for peer in tree.peers for one in everyone(peer))]


def test_each_call_of_the_llm_counts_with_or_without_its_usage() -> None:
    tree = UsageTree("dba")
    tree.count(Usage(1, 2, 3))
    tree.count(None)
    tree.count(Usage(10, 20, 30))
    assert (tree.calls, tree.own) == (3, Usage(11, 22, 33))


def test_the_document_is_a_tree_whose_total_counts_everyone() -> None:
    support = UsageTree("support", Usage(10, 20, 30), 2, [UsageTree("web", Usage(1, 2, 3), 1)])
    tree = UsageTree("dba", Usage(100, 200, 300), 3, [support])
    assert tree.document() == {
        "agent": "dba",
        "own": {"prompt": 100, "completion": 200, "total": 300, "calls": 3},
        "peers": [
            {
                "agent": "support",
                "own": {"prompt": 10, "completion": 20, "total": 30, "calls": 2},
                "peers": [
                    {"agent": "web", "own": {"prompt": 1, "completion": 2, "total": 3, "calls": 1}, "peers": [], "total": 3}
                ],
                "total": 33,
            }
        ],
        "total": 333,
    }


@given(trees)
def test_a_tree_is_read_as_it_was_written_and_its_total_adds_up(tree: UsageTree) -> None:
    assert UsageTree.read(tree.document()) == tree
    assert tree.total == sum(one.own.total for one in everyone(tree))


@given(trees)
def test_a_total_that_a_peer_claims_is_not_believed(tree: UsageTree) -> None:
    read = UsageTree.read(tree.document() | {"total": 10**9})
    assert read is not None
    assert read.total == tree.total


@pytest.mark.parametrize("document", [None, 7, "tree", [], {}, {"agent": 7}, {"own": {"total": 5}}])
def test_what_names_no_agent_is_no_usage(document: object) -> None:
    assert UsageTree.read(document) is None


def test_what_lies_too_deep_is_not_counted() -> None:
    document: dict[str, Any] = {"agent": "last", "own": {"total": 1}}
    for _ in range(1000):
        document = {"agent": "a", "own": {"total": 1}, "peers": [document]}
    read = UsageTree.read(document)
    assert read is not None
    assert read.total == len(everyone(read)) == DEEPEST


def test_what_is_too_wide_is_not_counted() -> None:
    read = UsageTree.read({"agent": "a", "peers": [{"agent": "b", "own": {"total": 1}}] * 100_000})
    assert read is not None
    assert read.total == WIDEST


def test_a_name_is_cut() -> None:
    read = UsageTree.read({"agent": "a" * 10_000})
    assert read is not None
    assert read.agent == "a" * 256


@pytest.mark.parametrize(
    ("value", "number"),
    [(7, 7), (7.0, 7), (7.9, 7), (0, 0), (-1, 0), (True, 0), ("7", 0), (None, 0), (LARGEST, 0), (LARGEST - 1, LARGEST - 1),
     (float("nan"), 0), (float("inf"), 0), (10**400, 0)],
)  # fmt: skip
def test_a_number_that_cannot_be_believed_is_nought(value: object, number: int) -> None:
    assert tokens(value) == number


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["agent", "own", "peers", "prompt", "completion", "total", "calls"]), inner)
    ),
    max_leaves=20,
)


@given(anything | st.fixed_dictionaries({"agent": st.text()}, optional={"own": anything, "peers": anything}))
def test_no_document_of_another_agent_makes_it_raise(document: object) -> None:
    read = UsageTree.read(document)
    if read is not None:
        assert all(min(one.own.prompt, one.own.completion, one.own.total, one.calls) >= 0 for one in everyone(read))
        assert read.total == sum(one.own.total for one in everyone(read))
