from collections.abc import Sequence

import pytest
from envoy.extensions.common.ratelimit.v3.ratelimit_pb2 import RateLimitDescriptor
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitRequest
from google.protobuf.wrappers_pb2 import UInt64Value
from hypothesis import given
from hypothesis import strategies as st

from budgets.budget import PICO, Entries, Usage
from budgets.documents.reserved import RESERVED
from budgets.wire import HITS_CAP, LONGEST, MOST_DESCRIPTORS, MOST_ENTRIES, Asked, MalformedError, read

DOMAIN = "tests"
CALL = ("describes", "call")
DBA = (("team", "dba"), ("user", "alice"))
ID = ("request_id", "r-1")


def descriptor(*entries: tuple[str, str], hits: int | None = 0) -> RateLimitDescriptor:
    pairs = [RateLimitDescriptor.Entry(key=key, value=value) for key, value in entries]
    return RateLimitDescriptor(entries=pairs, hits_addend=None if hits is None else UInt64Value(value=hits))


def asked(*descriptors: RateLimitDescriptor) -> Asked:
    return read(RateLimitRequest(domain=DOMAIN, descriptors=descriptors), DOMAIN)


def refusal(*descriptors: RateLimitDescriptor) -> str:
    with pytest.raises(MalformedError) as refused:
        asked(*descriptors)
    return str(refused.value)


def test_a_descriptor_that_describes_the_call_holds_its_dimensions() -> None:
    one = asked(descriptor(CALL, *DBA, ID, ("max_tokens", "200")))
    assert (one.call.descriptors, one.call.described) == ((DBA,), True)
    assert (one.request_id, one.max_tokens) == ("r-1", 200)
    assert not one.is_charge and not one.is_end


def test_other_descriptors_are_kept_as_they_are_and_in_their_order() -> None:
    hour, day = (("window", "hour"), *DBA), (("window", "day"), *DBA)
    one = asked(descriptor(*hour), descriptor(*day))
    assert (one.call.descriptors, one.call.described) == ((hour, day), False)
    assert (one.request_id, one.max_tokens, one.status) == (None, None, None)
    assert not one.is_charge and not one.is_end


def test_no_reserved_entry_is_a_dimension() -> None:
    told = {"usage": "input", "describes": "call"}
    reserved = [(key, told.get(key, "1")) for key in sorted(RESERVED - {"response_status"})]
    assert asked(descriptor(*reserved, *DBA)).call.descriptors == (DBA,)


def test_figures_of_one_call_come_in_descriptors_of_their_own() -> None:
    one = asked(
        descriptor(CALL, *DBA, ID, ("usage", "input"), hits=21),
        descriptor(CALL, *DBA, ID, ("usage", "output"), hits=683),
        descriptor(CALL, *DBA, ID, ("usage", "cached"), hits=5),
        descriptor(CALL, *DBA, ID, ("usage", "micro_usd"), hits=6_883),
    )
    assert one.call.descriptors == (DBA,)
    assert one.is_charge
    assert one.usages == (Usage(input=21, output=683, cached=5, picodollars=6_883 * PICO // 10**6),)


def test_hits_without_a_figure_are_tokens_of_unknown_kind() -> None:
    one = asked(descriptor(*DBA, hits=107))
    assert one.is_charge
    assert one.usages == (Usage(unsplit=107),)


def test_each_descriptor_has_its_own_usage() -> None:
    one = asked(descriptor(("a", "1"), hits=7), descriptor(("b", "1"), hits=0), descriptor(("c", "1"), hits=9))
    assert [usage.tokens for usage in one.usages] == [7, 0, 9]
    assert len(one.usages) == len(one.call.descriptors)


def test_hits_of_equal_descriptors_add_up() -> None:
    one = asked(*(descriptor(*DBA, ("usage", figure), hits=hits) for figure, hits in (("input", 3), ("input", 4))))
    assert (one.call.descriptors, one.usages) == ((DBA,), (Usage(input=7),))
    assert asked(descriptor(*DBA, hits=3), descriptor(*DBA, hits=4)).usages == (Usage(unsplit=7),)
    dollars = asked(*(descriptor(*DBA, ("usage", "micro_usd"), hits=hits) for hits in (1, 2)))
    assert dollars.usages == (Usage(picodollars=3 * 10**6),)


def test_equal_descriptors_of_a_check_are_one() -> None:
    assert asked(descriptor(*DBA), descriptor(*DBA)).call.descriptors == (DBA,)


@pytest.mark.parametrize("figure", ["input", "output", "cached", "micro_usd"])
def test_a_figure_of_zero_is_a_charge_and_not_a_check(figure: str) -> None:
    one = asked(descriptor(CALL, *DBA, ID, ("usage", figure), hits=0))
    assert one.is_charge
    assert one.usages[0].tokens == 0


@pytest.mark.parametrize("status", [0, 200, 499, 503])
def test_a_status_alone_is_the_end_of_a_call(status: int) -> None:
    one = asked(descriptor(CALL, ID, ("response_status", "status"), hits=status))
    assert (one.status, one.request_id) == (status, "r-1")
    assert one.is_end and not one.is_charge


def test_a_status_beside_figures_leaves_it_a_charge() -> None:
    one = asked(
        descriptor(CALL, *DBA, ID, ("usage", "input"), hits=3), descriptor(CALL, *DBA, ID, ("response_status", ""), hits=200)
    )
    assert (one.status, one.usages) == (200, (Usage(input=3),))
    assert one.is_charge and not one.is_end


def test_a_status_is_no_hit_and_its_descriptor_no_question() -> None:
    one = asked(descriptor(*DBA, hits=0), descriptor(*DBA, ("response_status", ""), hits=500))
    assert one.call.descriptors == (DBA,)
    assert one.is_end


@pytest.mark.parametrize(
    ("text", "most"),
    [
        ("1", 1),
        ("4096", 4096),
        ("007", 7),
        ("", None),
        ("0", None),
        ("-1", None),
        ("1e3", None),
        ("١٢", None),
        ("9" * 16, None),
    ],
)
def test_a_cap_that_is_no_count_is_none(text: str, most: int | None) -> None:
    assert asked(descriptor(*DBA, ("max_tokens", text))).max_tokens == most


def test_an_empty_request_id_is_none() -> None:
    assert asked(descriptor(*DBA, ("request_id", ""))).request_id is None


def test_the_request_id_may_stand_in_any_descriptor() -> None:
    assert asked(descriptor(("a", "1")), descriptor(("b", "1"), ID)).request_id == "r-1"


def test_the_most_that_is_allowed_is_read() -> None:
    long = "x" * LONGEST
    entries = [(f"{number}{long}"[:LONGEST], long) for number in range(MOST_ENTRIES)]
    assert asked(descriptor(*entries, hits=HITS_CAP)).usages == (Usage(unsplit=HITS_CAP),)
    assert len(asked(*(descriptor(("n", str(number))) for number in range(MOST_DESCRIPTORS))).call.descriptors) == 64


MALFORMED: dict[str, tuple[Sequence[RateLimitDescriptor], str]] = {
    "no descriptor": ([], "The request holds no descriptor, so no budget can be found."),
    "too many descriptors": (
        [descriptor(("n", str(number))) for number in range(MOST_DESCRIPTORS + 1)],
        "The request holds more than 64 descriptors.",
    ),
    "no hits": (
        [descriptor(*DBA, hits=None)],
        "Each descriptor needs hits_addend: 0 to check, or what to charge, 4294967295 at most.",
    ),
    "one without hits": ([descriptor(*DBA), descriptor(("a", "1"), hits=None)], "Each descriptor needs hits_addend"),
    "too many hits": ([descriptor(*DBA, hits=HITS_CAP + 1)], "Each descriptor needs hits_addend"),
    "too many entries": (
        [descriptor(*((str(number), "v") for number in range(MOST_ENTRIES + 1)))],
        "A descriptor holds more than 32 entries.",
    ),
    "a long key": (
        [descriptor(("k" * (LONGEST + 1), "v"))],
        "A key or a value of a descriptor is longer than 1024 characters.",
    ),
    "a long value": ([descriptor(("k", "v" * (LONGEST + 1)))], "A key or a value of a descriptor is longer"),
    "an empty key": ([descriptor(("", "v"))], "An entry of a descriptor has no key."),
    "an unknown figure": (
        [descriptor(*DBA, ("usage", "thoughts\n"), hits=1)],
        "usage='thoughts\\n' is unknown; use input, output, cached or micro_usd.",
    ),
    "a description of something else": (
        [descriptor(*DBA, ("describes", "nobody"))],
        "describes='nobody' is unknown; a descriptor describes a call.",
    ),
    "two descriptions": (
        [descriptor(CALL, ("team", "dba")), descriptor(CALL, ("team", "support"))],
        "A call is described by one descriptor; this one has several that differ.",
    ),
    "a description and a question": ([descriptor(CALL, ("team", "dba")), descriptor(("a", "1"))], "A call is described by one"),
}


@pytest.mark.parametrize(("descriptors", "sentence"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_call_is_refused_with_a_sentence(descriptors: Sequence[RateLimitDescriptor], sentence: str) -> None:
    assert refusal(*descriptors).startswith(sentence)


def test_another_domain_is_refused_with_both_names_and_the_remedy() -> None:
    with pytest.raises(MalformedError) as refused:
        read(RateLimitRequest(domain="theirs" * 1_000, descriptors=[descriptor(*DBA)]), DOMAIN)
    text = str(refused.value)
    assert text.startswith("The domain is 'theirstheirs") and len(text) < 1_300
    assert text.endswith("this service serves 'tests'. Set BUDGETS_DOMAIN and the gateway's domain to the same.")


words = st.sampled_from([*sorted(RESERVED), "call", "input", "micro_usd", "team", "dba", "", "7"]) | st.text(max_size=8)
entries = st.lists(st.tuples(words, words), max_size=6)
hits = st.none() | st.integers(0, 5) | st.integers(0, 2**64 - 1)
requests = st.builds(
    lambda domain, described: RateLimitRequest(
        domain=domain, descriptors=[descriptor(*each, hits=told) for each, told in described]
    ),
    st.just(DOMAIN) | st.text(max_size=3),
    st.lists(st.tuples(entries, hits), max_size=5),
)


@given(requests)
def test_any_request_is_read_or_refused_and_nothing_else(request: RateLimitRequest) -> None:
    try:
        one = read(request, DOMAIN)
    except MalformedError as error:
        assert str(error).endswith(".")
        return
    told: list[Entries] = list(one.call.descriptors)
    assert len(told) == len(set(told))
    assert not any(key in RESERVED for each in told for key, _ in each)
    assert not (one.is_charge and one.is_end)
    assert not one.call.described or len(told) <= 1
    assert len(one.usages) in (0, len(told))
    assert all(min(each.input, each.output, each.cached, each.unsplit, each.picodollars or 0) >= 0 for each in one.usages)
