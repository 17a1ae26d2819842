"""The call to the LLM through the gateway, and what its answer means."""
