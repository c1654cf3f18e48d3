"""Images with targets."""
