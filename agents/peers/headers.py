"""What a call tells the peer of where it comes from, in headers. The token for the LLM is never among them."""

from a2a.extensions.common import HTTP_EXTENSION_HEADER

from agents.extension import URI
from agents.lineage import Lineage


def lineage_headers(lineage: Lineage, context_id: str) -> dict[str, bytes]:
    """kagent's names. What is not known is left out. The user goes on in the bytes in which it came."""
    headers = {
        "x-user-id": lineage.user,
        "x-kagent-source": "agent",
        "x-kagent-parent-context-id": context_id,
        "x-kagent-root-context-id": lineage.root_context or context_id,
        "traceparent": lineage.traceparent,
        # In the SDK's spelling, for it looks for it to add the name that 0.3 has for it.
        HTTP_EXTENSION_HEADER: URI,
    }
    carried = {
        name: "".join(filter(str.isprintable, value)) if name != "x-user-id" else value for name, value in headers.items()
    }
    return {name: value.encode("latin-1", "replace") for name, value in carried.items() if value}
