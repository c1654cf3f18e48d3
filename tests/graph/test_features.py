"""Other outputs by path: what is kept, what it is called, and which paths are refused."""

import pytest

import archspec
from archspec.errors import SpecError
from archspec.graph.features import identifier


def outputs(graph):
    return {output.name: output.node for output in graph.outputs}


def test_only_what_the_outputs_need_is_kept():
    whole = archspec.compile("resnet18")
    graph = archspec.compile("resnet18", outputs=["layer3", "layer2.0.conv1"])
    assert outputs(graph) == {"layer3": "layer3.1.relu", "layer2_0_conv1": "layer2.0.conv1"}
    names = [node.name for node in whole]
    assert [node.name for node in graph] == names[: names.index("layer3.1.relu") + 1]
    assert list(graph.state_shapes().items()) == list(whole.state_shapes().items())[: len(graph.state_shapes())]


def test_a_small_part_keeps_its_order():
    graph = archspec.compile("googlenet", outputs="inception3a.conv3x3")
    names = [node.name for node in archspec.compile("googlenet") if node.name in graph]
    assert [node.name for node in graph] == names
    assert names[-4:] == [
        f"inception3a.{name}" for name in ("reduce3x3.conv", "reduce3x3.relu", "conv3x3.conv", "conv3x3.relu")
    ]


def test_an_auxiliary_head_that_is_asked_for_is_in_evaluation_too():
    graph = archspec.compile("googlenet", outputs=["aux1"])
    assert not graph.outputs[0].training_only
    assert graph.inference().params == graph.params


def test_an_output_of_the_spec_can_be_named():
    assert outputs(archspec.compile("resnet18", outputs=["logits", "layer4"])) == {
        "logits": "fc",
        "layer4": "layer4.1.relu",
    }


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("layer4.1.conv2", "layer4_1_conv2"),
        ("features.0", "features_0"),
        ("0.a-b", "layer_0_a_b"),
        ("with", "layer_with"),
    ],
)
def test_names_are_identifiers(path, name):
    assert identifier(path) == name and name.isidentifier()


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (["layer5"], "there is no layer `layer5`\n  hint: did you mean `layer"),
        (["layer4.1.conv3"], "did you mean `layer4.1.conv"),
        (["layer4.1.conv2", "layer4.1.conv2"], "named twice"),
        (["image"], "`image` is an input itself"),
        (["layer"], "there is no layer `layer`"),
    ],
)
def test_wrong_paths_are_told(paths, said):
    with pytest.raises(SpecError) as caught:
        archspec.compile("resnet18", outputs=paths)
    assert said in str(caught.value)


def test_all_wrong_paths_are_told_at_once():
    with pytest.raises(SpecError) as caught:
        archspec.compile("resnet18", outputs=["a", "b"])
    assert len(caught.value.problems) == 2
