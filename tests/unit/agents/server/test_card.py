import pytest
from a2a.server.request_handlers.response_helpers import agent_card_to_dict

from agents.extension import URI
from agents.server.card import build_card
from tests.unit.agents.doubles import settings


def test_every_binding_is_offered_in_1_0_first_and_in_0_3() -> None:
    offered = [(entry.protocol_binding, entry.protocol_version) for entry in build_card(settings()).supported_interfaces]
    assert offered == [("JSONRPC", "1.0"), ("HTTP+JSON", "1.0"), ("JSONRPC", "0.3.0"), ("HTTP+JSON", "0.3.0")]


@pytest.mark.parametrize("field", ["url", "preferredTransport", "protocolVersion"])
def test_a_0_3_client_finds_its_fields(field: str) -> None:
    assert agent_card_to_dict(build_card(settings()))[field]


def test_parents_under_kagent_find_the_service_address() -> None:
    card = build_card(settings(kagent_name="dba-agent", kagent_namespace="kagent"))
    assert {entry.url for entry in card.supported_interfaces} == {"http://dba-agent.kagent:8080"}


def test_the_card_says_who_it_is_and_promises_no_push() -> None:
    card = build_card(settings(agent_description="Knows indexes."))
    assert (card.name, card.description) == ("dba-agent", "Knows indexes.")
    assert card.version
    assert card.capabilities.streaming
    assert not card.capabilities.push_notifications
    assert [(extension.uri, extension.required) for extension in card.capabilities.extensions] == [(URI, False)]
