"""API keys that stand for a caller, and who tells the gateway so."""
