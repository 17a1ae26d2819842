"""The budget service: the Envoy rate-limit API over Valkey, with the policy in a file."""
