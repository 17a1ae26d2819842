"""Tasks, conversations and who owns them: in a SQLite file, or in a Postgres that several replicas share."""
