"""kagent's controller: tasks and sessions are pushed to it, so that kagent's UI has a history to show."""
