"""What every service here does the same way: read its environment, log, and serve.

The services never import one another; this is the one package that all of them may import.
"""
