"""Recipes at work: a loop that yields records, and runs in folders."""
