"""What is measured of a module on a batch. Everything here needs torch."""
