"""Where the counters are: in Redis or Valkey, or in memory for a simulation."""
