"""What a call costs in dollars."""
