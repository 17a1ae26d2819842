"""Start one team's agent: `python -m agents`."""

from agents.serving import serve_agent

if __name__ == "__main__":
    serve_agent()
