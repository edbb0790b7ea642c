"""What is read abroad."""
