"""How fast networks are on this machine, and what stands in the way."""
