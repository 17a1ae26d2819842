"""The agent as its callers meet it: A2A in, tasks and their events out."""
