"""Ways to test."""
