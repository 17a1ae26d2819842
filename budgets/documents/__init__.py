"""The documents that a policy is made of, as their users know them, read strictly and with every mistake named."""
