"""The gateway alone, among doubles of all that it calls: what Envoy sends to whom."""
