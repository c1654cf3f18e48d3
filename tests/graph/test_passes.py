"""Passes on graphs, and graphs for other inputs, without torch."""

import pytest

import archspec
from archspec.errors import SpecError
from archspec.graph.passes import PASSES, apply
from archspec.graph.reinfer import with_inputs

PASS = "fully-convolutional"


def graph_of(layers, inputs="{image: [3, 12, 12]}", output="fc", init=""):
    text = f"archspec: 1\nname: net\ninputs: {inputs}\nlayers:\n{layers}outputs: {{y: {output}}}\n"
    return archspec.compile(archspec.load(text=text + (f"init:\n{init}" if init else "")))


def changes(before, after):
    """Layers that a pass changed: path -> (op, fields)."""
    return {node.name: (node.op, dict(node.fields)) for node in after.layers if node.op != before[node.name].op}


@pytest.mark.parametrize("name", PASSES.builtin)
def test_every_pass_can_be_named(name):
    assert apply(archspec.compile("resnet-cifar"), [name])


def test_an_unknown_pass_is_told():
    with pytest.raises(SpecError, match="there is no pass `fully-convolution`\n  hint: did you mean `fully-conv"):
        archspec.compile("alexnet", passes="fully-convolution")


def test_alexnet_by_hand():
    before, after = archspec.compile("alexnet"), archspec.compile("alexnet", passes=[PASS])
    assert after.name == "alexnet-fully-convolutional"
    assert changes(before, after) == {
        "flat": ("identity", {}),
        "fc6": ("conv2d", {"out_channels": 4096, "kernel_size": 6}),
        "fc7": ("conv2d", {"out_channels": 4096, "kernel_size": 1}),
        "fc8": ("conv2d", {"out_channels": 1000, "kernel_size": 1}),
    }
    assert (after.params, after.macs) == (before.params, before.macs)
    assert after["fc6"].weights["weight"].shape == (4096, 256, 6, 6)
    assert after["drop6"].shape.dims == (4096, 1, 1)
    assert list(after.state_shapes()) == list(before.state_shapes())


def test_googlenet_by_hand():
    before, after = archspec.compile("googlenet"), archspec.compile("googlenet", passes=[PASS])
    assert set(changes(before, after)) == {"flat", "fc"} | {
        f"aux{i}.{name}" for i in (1, 2) for name in ("flat", "fc1", "fc2")
    }
    assert after["aux1.fc1"].fields["kernel_size"] == 4
    assert after["pool5"].fields == before["pool5"].fields


@pytest.mark.parametrize(
    ("pool", "op", "fields"),
    [
        ("global_avg_pool2d", "avg_pool2d", {"kernel_size": [12, 8], "stride": 1, "ceil_mode": False}),
        ("{op: adaptive_avg_pool2d, output_size: 1}", "avg_pool2d", {"kernel_size": [12, 8], "stride": 1}),
        ("{op: adaptive_avg_pool2d, output_size: [12, 8]}", "identity", {}),
        ("{op: adaptive_avg_pool2d, output_size: 4}", "avg_pool2d", {"kernel_size": [3, 2], "stride": [3, 2]}),
        ("{op: adaptive_avg_pool2d, output_size: [1, 4]}", "avg_pool2d", {"kernel_size": [12, 2], "stride": [1, 2]}),
    ],
)
def test_pools_to_a_size_become_pools_of_windows(pool, op, fields):
    flat = "" if pool.startswith("global") else "  flat: flatten\n"
    layers = f"  relu: relu\n  pool: {pool}\n{flat}  fc: {{op: linear, out_features: 5, bias: false}}\n"
    before = graph_of(layers, "{image: [3, 12, 8]}")
    after = apply(before, [PASS])
    assert after["pool"].op == op
    assert fields.items() <= after["pool"].fields.items()
    assert after["fc"].shape.dims == (5, 1, 1)
    assert after["fc"].fields["bias"] is False and "bias" not in after["fc"].weights
    assert after.macs == before.macs


GATED = """\
  conv: {op: conv2d, out_channels: 3, kernel_size: 3, padding: 1}
  pool: {op: adaptive_avg_pool2d, output_size: 1}
  gate: {op: conv2d, out_channels: 3, kernel_size: 1}
  flat: flatten
  fc:   {op: linear, out_features: 5}
"""


def test_a_pool_whose_value_goes_on_as_a_map_is_left_alone():
    after = apply(graph_of(GATED), [PASS])
    assert after["pool"].op == "adaptive_avg_pool2d"
    assert after["fc"].op == "conv2d"


def test_a_network_without_a_vector_is_left_as_it_is():
    graph = graph_of("  conv: {op: conv2d, out_channels: 2, kernel_size: 3}\n", output="conv")
    assert apply(graph, [PASS]) is graph
    once = archspec.compile("alexnet", passes=[PASS])
    assert apply(once, [PASS]) is once


def test_vectors_that_were_no_map_keep_their_layers():
    layers = "  relu: relu\n  fc: {op: linear, out_features: 5}\n"
    graph = graph_of(layers, "{v: [7]}")
    assert apply(graph, [PASS]) is graph


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ("  flat: flatten\n  mix: softmax\n  fc: {op: linear, out_features: 5}\n", "mix (softmax): softmax would mix"),
        (
            "  pool: {op: adaptive_avg_pool2d, output_size: 5}\n  flat: flatten\n  fc: {op: linear, out_features: 5}\n",
            "makes 12x12 into 5x5 with windows of several sizes",
        ),
        (
            "  flat: flatten\n  a: {op: linear, out_features: 5}\n"
            "  b: {op: linear, from: v, out_features: 5}\n  fc: {op: add, from: [a, b]}\n",
            "fc (add): add joins what becomes a map with what does not",
        ),
    ],
)
def test_what_cannot_be_slid_is_told_with_its_place(layers, said):
    inputs = "{image: [3, 12, 12], v: [4]}" if "from: v" in layers else "{image: [3, 12, 12]}"
    layers = layers.replace("flat: flatten", "flat: {op: flatten, from: image}") if "from: v" in layers else layers
    with pytest.raises(SpecError) as caught:
        apply(graph_of(layers, inputs), [PASS])
    assert said in str(caught.value)
    assert caught.value.problems[0].position is not None


def test_branches_of_a_head_may_join_once_they_are_single_places():
    layers = (
        "  flat: flatten\n  a: {op: linear, out_features: 5}\n  b: {op: linear, from: flat, out_features: 3}\n"
        "  cat: {op: concat, from: [a, b]}\n  soft: softmax\n"
    )
    after = apply(graph_of(layers, output="soft"), [PASS])
    assert after["soft"].shape.dims == (8, 1, 1)


# Other inputs.


def test_the_same_inputs_give_the_same_graph():
    graph = archspec.compile("googlenet")
    assert list(with_inputs(graph, {"image": (3, 224, 224)})) == list(graph)


def test_a_graph_for_another_input_is_that_of_a_spec_with_it():
    text = "archspec: 1\nname: net\nparams: {size: 32}\ninputs: {image: [3, =size, =size]}\nlayers:\n" + GATED
    spec = archspec.load(text=text + "outputs: {y: fc}\n")
    again = with_inputs(archspec.compile(spec), {"image": [3, 48, 48]})
    wanted = archspec.compile(spec, set={"size": 48})
    assert [(n.name, n.shape, n.macs, n.window, n.saves) for n in again] == [
        (n.name, n.shape, n.macs, n.window, n.saves) for n in wanted
    ]
    assert again.state_shapes() == wanted.state_shapes()


@pytest.mark.parametrize(
    ("size", "places"), [((224, 224), (1, 1)), ((256, 224), (2, 1)), ((384, 384), (6, 6)), ((512, 640), (10, 14))]
)
def test_a_converted_network_grows_with_its_image(size, places):
    alexnet = archspec.compile("alexnet", passes=[PASS])
    after = with_inputs(alexnet, {"image": (3, *size)})
    assert after["fc8"].shape.dims == (1000, *places)
    assert after.state_shapes() == alexnet.state_shapes()


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"imgae": (3, 9, 9)}, "there is no input `imgae`\n  hint: did you mean `image`?"),
        ({"image": (9,)}, "input `image` must be [channels, height, width], each a whole number from 1, found [9]"),
        ({"image": (3, 0, 9)}, "found [3, 0, 9]"),
        ({"image": (3, 9.0, 9)}, "found [3, 9.0, 9]"),
        ({"image": (3, 60, 60)}, "pool5 (max_pool2d): kernel 3x3 is larger than the input, 2x2"),
    ],
)
def test_inputs_that_do_not_fit_are_told(inputs, said):
    with pytest.raises(SpecError) as caught:
        with_inputs(archspec.compile("alexnet"), inputs)
    assert said in str(caught.value)
    assert len(caught.value.problems) == 1
