"""The command `archspec`: one file per subcommand, imported when it is used."""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS = {
    "bench": "Time networks, layer by layer too, beside what the machine allows.",
    "blocks": "List the blocks that a spec can use, or document one.",
    "build": "Compile a spec to a PyTorch module, try it, and write it out.",
    "diff": "Print what differs between two specs, or two settings of one.",
    "evaluate": "Test finished runs by the protocols of their recipes.",
    "expand": "Print a spec with every block, repeat and expression worked out.",
    "explain": "Print how a layer comes by its shape and costs.",
    "export": "Write a network as ONNX or an exported program of torch, and compare.",
    "fmt": "Format spec files in place; comments and data stay as they are.",
    "list": "List the specs of the zoo with params, MACs and paper.",
    "new": "Write a commented spec to begin with.",
    "plugin": "Begin a package of blocks and specs.",
    "plugins": "List the installed plugins: what each brings, and whether it is healthy.",
    "predict": "Print the most likely classes of images, by a finished run.",
    "recipe": "Show a recipe with all that its paper leaves open, or check recipes.",
    "render": "Draw a network: SVG, PNG, an interactive page, DOT, Mermaid or JSON.",
    "report": "Compare runs on one page: curves, settings, and the papers' numbers.",
    "runs": "List the runs below a folder with what they last measured.",
    "schema": "Print a JSON Schema of specs or recipes, for editors.",
    "summary": "Print the layers of a spec with shapes, params and MACs.",
    "train": "Train a network by a recipe.",
    "validate": "Check specs, with the numbers they expect of themselves.",
    "view": "Show a network by a view that archspec or a plugin brings.",
    "weights": "Compare files of weights with specs.",
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used; help needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"archspec.cli.{cmd_name}"), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"; did you mean `{near[0]}`?" if near else f"; commands: {', '.join(COMMANDS)}"
            ctx.fail(f"there is no command `{args[0]}`{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        from archspec import __version__

        click.echo(f"archspec-nn {__version__}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Version.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """Declarative specs of neural networks, compiled to plain PyTorch.

    A SPEC with a slash or ending in .yaml is a file, - is standard input, and anything else a name from the zoo.
    """
    ctx.obj = debug


def main() -> None:
    """Exit status: 0 good, 1 the spec or the run is at fault, 2 the command line is."""
    import os
    import sys

    try:
        cli(standalone_mode=True)
    except BrokenPipeError:
        sys.exit(1)
    except Exception as error:
        from archspec.errors import ArchspecError

        if "--debug" in sys.argv:
            raise
        if os.environ.get("TORCHELASTIC_RUN_ID"):
            from archspec.train.processes import is_first_to_tell

            if not is_first_to_tell():
                sys.exit(1)
        if isinstance(error, ArchspecError):
            click.echo(str(error), err=True)
        else:
            click.echo(f"archspec: {type(error).__name__}: {error}", err=True)
            click.echo("  hint: this is a mistake of archspec or of the machine; --debug shows where", err=True)
        sys.exit(1)
