"""The language of recipes: YAML text -> a recipe whose parts are validated, with the place of every value."""
