"""What a policy would have done to the calls of a past day."""
