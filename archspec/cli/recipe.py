"""archspec recipe"""

from __future__ import annotations

from typing import Any

import click

from archspec.cli.options import recipe_settings


@click.group()
def recipe() -> None:
    """Show a recipe with all that its paper leaves open, or check recipes."""


@recipe.command()
@click.argument("name", metavar="RECIPE")
@click.option(
    "--set", "-s", "settings", multiple=True, metavar="PATH=VALUE", callback=recipe_settings, help="Set a value."
)
@click.option("--json", "as_json", is_flag=True, help="As JSON: the recipe with every default, and what is assumed.")
def show(name: str, settings: dict[str, Any], as_json: bool) -> None:
    """Print a recipe with what it extends worked in, and every value that its paper does not state."""
    import json

    from archspec.recipe.files import load_recipe
    from archspec.views.recipe import recipe_data, recipe_view

    loaded = load_recipe(name, settings)
    click.echo(json.dumps(recipe_data(loaded), indent=1, ensure_ascii=False) if as_json else recipe_view(loaded))


@recipe.command()
@click.argument("names", metavar="RECIPE...", nargs=-1, required=True)
@click.option(
    "--set", "-s", "settings", multiple=True, metavar="PATH=VALUE", callback=recipe_settings, help="Set a value."
)
def validate(names: tuple[str, ...], settings: dict[str, Any]) -> None:
    """Check recipes: a line for each good one, every mistake of the others."""
    import sys

    from archspec.errors import SpecError
    from archspec.recipe.files import load_recipe

    good = True
    for name in names:
        try:
            found = load_recipe(name, settings)
        except SpecError as error:
            good = False
            click.echo(str(error), err=True)
        else:
            assumed = len(found.assumptions)
            click.echo(f"{name}: {found.recipe.length}, {assumed} {'value' if assumed == 1 else 'values'} assumed")
    if not good:
        sys.exit(1)


@recipe.command(name="list")
def list_() -> None:
    """List the recipes of the zoo and of plugins."""
    from archspec.errors import SpecError
    from archspec.recipe.files import load_recipe, recipe_names

    names = recipe_names()
    width = max(map(len, names))
    for name in names:
        try:
            found = load_recipe(name).recipe
            about = found.paper or found.description
        except SpecError as error:
            about = f"cannot be used: {error.problems[0].headline}"
        click.echo(f"{name:<{width}}  {about}")
