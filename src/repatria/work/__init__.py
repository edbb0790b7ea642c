"""What runs the work of either half: journal, lock, pace, executor, audit."""
