"""Images of a dataset -> groups of floats on the device."""
