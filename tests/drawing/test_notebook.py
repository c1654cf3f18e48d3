"""Specs, graphs, modules and pictures show themselves in notebooks."""

import copy
import pickle

import archspec


def test_each_shows_the_same_drawing():
    drawn = archspec.render("lenet5").svg
    assert archspec.load("lenet5")._repr_svg_() == drawn
    assert archspec.compile("lenet5")._repr_svg_() == drawn
    assert archspec.build("lenet5")._repr_svg_() == drawn
    assert archspec.render("lenet5")._repr_svg_() == drawn


def test_a_spec_with_mistakes_shows_its_text_instead():
    spec = archspec.load(text="archspec: 1\nname: x\nlayers: {a: relo}\n")
    assert spec._repr_svg_() is None


def test_a_module_keeps_its_drawing_in_copies_and_loses_it_in_a_pickle():
    module = archspec.build("lenet5")
    assert copy.deepcopy(module)._repr_svg_() == module._repr_svg_()
    assert pickle.loads(pickle.dumps(module))._repr_svg_() is None


def test_modules_of_one_source_show_their_own_sizes():
    small, large = (archspec.build("resnet-cifar", inputs={"image": (3, size, size)}) for size in (32, 64))
    assert type(small) is type(large) and small._repr_svg_() != large._repr_svg_()


def test_what_is_very_large_is_shown_in_outline():
    from tests.drawing.graphs import chain_graph

    assert chain_graph(20_000)._repr_svg_() is None
    drawn = archspec.compile("resnet-cifar", set={"depth": 1202})._repr_svg_()
    assert drawn is not None
    assert "basic × 200" in drawn
