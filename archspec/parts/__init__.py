"""The built-in parts of recipes: transforms, optimizers, schedules, protocols, ..., one concept per file."""
