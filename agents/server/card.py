"""The agent card: who the agent is, and where and how it is called."""

from importlib.metadata import version

from a2a.types import AgentCapabilities, AgentCard, AgentExtension, AgentInterface, AgentSkill

from agents import extension
from agents.config import Settings

# 1.0 first, for a client takes the first that it knows. Without the 0.3 entries the SDK leaves out the fields that
# a 0.3 client (kagent 0.9 and 0.10) needs.
INTERFACES = (("JSONRPC", "1.0"), ("HTTP+JSON", "1.0"), ("JSONRPC", "0.3.0"), ("HTTP+JSON", "0.3.0"))


def build_card(settings: Settings) -> AgentCard:
    return AgentCard(
        name=settings.name,
        description=settings.agent_description,
        version=version("agentic-budgets"),
        supported_interfaces=[
            AgentInterface(url=settings.url, protocol_binding=binding, protocol_version=protocol)
            for binding, protocol in INTERFACES
        ],
        capabilities=AgentCapabilities(
            streaming=True,
            push_notifications=False,
            extended_agent_card=False,
            extensions=[AgentExtension(uri=extension.URI, description=extension.DESCRIPTION, required=False)],
        ),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[
            AgentSkill(
                id="answer",
                name="Answer",
                description=settings.agent_description,
                tags=[settings.identity.team],
            )
        ],
    )
