"""What is left of the budget, and how it is said."""
