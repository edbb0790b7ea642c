"""Places for bytes by URI."""
