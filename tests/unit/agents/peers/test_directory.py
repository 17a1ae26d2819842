import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.peers.directory import LONGEST_TOOL, Peer, parse_peers

KAGENT = "http://kagent-controller.kagent:8083"


def test_a_name_with_an_address_is_a_peer() -> None:
    assert parse_peers(" support-agent = http://127.0.0.1:8081/ ,web=https://web.example/a2a") == (
        Peer("support-agent", "http://127.0.0.1:8081", "support-agent"),
        Peer("web", "https://web.example/a2a", "web"),
    )


@pytest.mark.parametrize("text", ["", "  ", ",", " , "])
def test_nothing_names_nobody(text: str) -> None:
    assert parse_peers(text) == ()


def test_an_agent_of_kagents_is_found_through_its_controller() -> None:
    assert parse_peers("support-agent,other/web", KAGENT + "/", "kagent") == (
        Peer("kagent/support-agent", f"{KAGENT}/api/a2a/kagent/support-agent", "kagent__NS__support_agent", True),
        Peer("other/web", f"{KAGENT}/api/a2a/other/web", "other__NS__web", True),
    )


def test_an_address_goes_past_the_controller_and_keeps_the_name_of_kagents() -> None:
    (peer,) = parse_peers("kagent/support-agent=http://support-agent.kagent:8080", KAGENT, "kagent")
    assert (peer.url, peer.tool, peer.through_kagent) == (
        "http://support-agent.kagent:8080",
        "kagent__NS__support_agent",
        False,
    )


def test_tools_have_names_of_their_own() -> None:
    peers = parse_peers(f"a.b=http://h,a_b=http://h,{'c' * 64}.d=http://h,{'c' * 64}.e=http://h")
    assert [peer.tool for peer in peers] == ["a_b", "a_b_2", "c" * 64, "c" * 62 + "_2"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("support", "KAGENT_URL is not set"),
        ("http://h:1", "write name="),
        ("=http://h:1", "name"),
        ("a b=http://h:1", "without spaces"),
        ("a=", "http:// or https://"),
        ("a=ftp://h", "http:// or https://"),
        ("a=http://", "names a host"),
        ("a=http://h:99999", "names a host"),
        ("a=http://[::1", "names a host"),
        ("a=http://h/?q=1", "no query"),
        ("a=http://h/#f", "no fragment"),
        ("a=http://bob:secret@h", "no user"),
        ("http://bob:secret@h", "write name="),
        ("a=http://h,a=http://i", "twice"),
        ("Support_Agent", "neither"),
        ("a/b/c", "neither"),
        ("x" * 200 + "=http://h", "128"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_sentence(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)) as raised:
        parse_peers(text)
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_name_without_a_namespace_needs_kagents() -> None:
    with pytest.raises(ValueError, match="KAGENT_NAMESPACE is not set"):
        parse_peers("support", KAGENT)


@given(st.text())
def test_a_list_is_read_or_refused(text: str) -> None:
    try:
        peers = parse_peers(text, KAGENT, "kagent")
    except ValueError as error:
        assert str(error).isprintable()
        return
    tools = [peer.tool for peer in peers]
    assert len(set(tools)) == len(tools)
    assert all(re.fullmatch(rf"[A-Za-z0-9_-]{{1,{LONGEST_TOOL}}}", tool) for tool in tools)
