"""`archspec list`, as a user runs it."""

import json

from click.testing import CliRunner

from archspec.cli.app import cli
from archspec.spec.shelves import zoo_names


def run(*arguments):
    done = CliRunner().invoke(cli, ["list", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_every_spec_of_the_zoo_has_a_line():
    header, *lines = run().splitlines()
    assert header.split() == ["name", "params", "MACs", "paper"]
    names = [line.split()[0] for line in lines]
    assert sorted(names) == zoo_names()
    assert names.index("resnet18") < names.index("resnet34") < names.index("resnet101")


def test_papers_are_whole_where_there_is_no_terminal():
    assert "Krizhevsky, Sutskever, Hinton 2012, as in Caffe's bvlc_reference_caffenet\n" in run()


def test_json():
    networks = {network["name"]: network for network in json.loads(run("--json"))}
    assert sorted(networks) == zoo_names()
    assert networks["alexnet"]["params"] == 60_965_224
    assert networks["alexnet"]["macs"] == 724_406_816
