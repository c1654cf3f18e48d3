"""Changes of images."""
