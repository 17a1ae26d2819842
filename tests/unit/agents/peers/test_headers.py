from a2a.extensions.common import HTTP_EXTENSION_HEADER

from agents.extension import URI
from agents.lineage import Lineage
from agents.peers.headers import lineage_headers


def test_a_peer_is_told_the_user_and_both_contexts() -> None:
    lineage = Lineage("alice", "root", ("web",), "00-trace")
    assert lineage_headers(lineage, "own") == {
        "x-user-id": b"alice",
        "x-kagent-source": b"agent",
        "x-kagent-parent-context-id": b"own",
        "x-kagent-root-context-id": b"root",
        "traceparent": b"00-trace",
        HTTP_EXTENSION_HEADER: URI.encode(),
    }


def test_what_is_not_known_is_left_out_and_the_own_context_is_the_root() -> None:
    headers = lineage_headers(Lineage(), "own")
    assert "x-user-id" not in headers
    assert "traceparent" not in headers
    assert headers["x-kagent-root-context-id"] == b"own"


def test_a_header_holds_no_second_one() -> None:
    assert lineage_headers(Lineage(), "own\r\nx-evil: 1")["x-kagent-parent-context-id"] == b"ownx-evil: 1"


def test_a_user_goes_on_in_its_bytes() -> None:
    name = "ā@example.com".encode()
    assert lineage_headers(Lineage(name.decode("latin-1")), "own")["x-user-id"] == name
