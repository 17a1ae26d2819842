"""The gateway on one machine: stock Envoy, its configuration rendered from one template."""
