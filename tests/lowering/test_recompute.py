"""Parts that are computed again in the backward pass change no bit, and keep less."""

import copy
import pickle

import pytest
import torch

import archspec
from archspec.errors import SpecError
from archspec.ops.form import plain_forms

SPEC = """
archspec: 1
name: net
inputs: {image: [3, 9, 9]}
blocks:
  part:
    params: {width: 4}
    layers:
      pre: relu
      conv: {op: conv2d, out_channels: =width, kernel_size: 3, padding: 1}
      bn: batch_norm2d
      relu: relu
      drop: {op: dropout, p: 0.4}
layers:
  conv1: {op: conv2d, out_channels: 4, kernel_size: 3}
  one: {op: part, repeat: 2}
  two: part
  sum: {op: add, from: [one, two]}
  pool: global_avg_pool2d
  fc: {op: linear, out_features: 5}
  inside: {op: global_avg_pool2d, from: two.relu}
  aux: {op: linear, out_features: 5}
outputs:
  logits: fc
  aux: {from: aux, training_only: true}
"""


@pytest.fixture(scope="module")
def graph():
    return archspec.compile(archspec.load(text=SPEC))


def image(graph, batch=3):
    return torch.randn(batch, *graph.inputs[0].shape.dims, generator=torch.Generator().manual_seed(5))


def step(module, x):
    """Outputs, gradients and buffers of a training step."""
    torch.manual_seed(3)
    outputs = module(x)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    sum(output.square().sum() for output in outputs).backward()
    gradients = [parameter.grad for parameter in module.parameters()]
    return [*(output.detach() for output in outputs), *gradients, *module.buffers()]


def alike(ones, others):
    return len(ones) == len(others) and all(torch.equal(a, b) for a, b in zip(ones, others, strict=True))


@pytest.mark.parametrize("optimize", [None, "training"])
@pytest.mark.parametrize("globs", [["one"], ["one.*", "two"], ["*"], ["**.relu", "**.bn"], "sum"], ids=str)
def test_nothing_changes(graph, globs, optimize):
    plain = archspec.build(graph, optimize=optimize)
    found = archspec.build(graph, optimize=optimize, recompute=globs)
    x = image(graph)
    for _ in range(2):  # the second with the running statistics and gradients of the first
        assert alike(step(plain, x), step(found, x))
    assert list(plain.state_dict()) == list(found.state_dict())
    assert torch.equal(plain.eval()(x), found.eval()(x))
    for copied in (copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))):
        other = copied(found)
        other.zero_grad()
        found.zero_grad()
        assert alike(step(other.train(), x), step(found.train(), x))


@pytest.mark.parametrize(
    ("name", "globs"),
    [("resnet-cifar", ["stage*.*"]), ("googlenet", ["inception*", "norm*"]), ("alexnet-two-tower", ["*"])],
)
@pytest.mark.parametrize("optimize", [None, "training"])
def test_networks_of_the_zoo(name, globs, optimize):
    whole = archspec.compile(name)
    found = [step(archspec.build(whole, optimize=optimize, recompute=r), image(whole, 2)) for r in ((), globs)]
    assert alike(*found)


def kept(module, x):
    """Bytes that wait for the backward pass outside the parts."""
    sizes = {}

    def keep(tensor):
        sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        module(x)
    return sum(sizes.values())


def test_less_is_kept():
    whole = archspec.compile("resnet-cifar")
    x = image(whole, 4)
    plain, found = (kept(archspec.build(whole, recompute=r), x) for r in ((), "stage*.*"))
    assert found < plain / 3


def test_without_gradients_statistics_move_once(graph):
    plain, found = archspec.build(graph), archspec.build(graph, recompute="*")
    with torch.no_grad():
        for module in (plain, found):
            torch.manual_seed(0)
            module(image(graph))
    assert alike(list(plain.buffers()), list(found.buffers()))


def test_compiled(graph):
    text = SPEC.replace("p: 0.4", "p: 0.0")
    still = archspec.compile(archspec.load(text=text))
    x = image(still)
    wanted = step(archspec.build(still), x)
    found = archspec.build(still, recompute=["one", "two"])
    compiled = torch.compile(found, fullgraph=True, dynamic=False)
    torch.manual_seed(3)
    sum(output.square().sum() for output in compiled(x)).backward()
    gradients = [parameter.grad for parameter in found.parameters()]
    for a, b in zip(wanted[2:], [*gradients, *found.buffers()], strict=True):
        assert torch.allclose(a.float(), b.float(), rtol=1e-4, atol=1e-5)
    whole = torch.compile(archspec.build(still), fullgraph=True, dynamic=False)
    assert kept(compiled, x) < kept(whole, x)


def test_compiled_dropout_is_drawn_once():
    text = (
        "archspec: 1\nname: d\ninputs: {x: [64]}\nlayers:\n"
        "  part:\n    layers:\n      fc: {op: linear, out_features: 64}\n      drop: {op: dropout, p: 0.5}\n"
        "outputs: {y: part}\n"
    )
    module = archspec.build(archspec.compile(archspec.load(text=text)), recompute="part")
    for call in (module, torch.compile(module, fullgraph=True)):
        module.zero_grad()
        y = call(torch.randn(1, 64))
        y.sum().backward()
        assert 0 < int((y != 0).sum()) < 64
        assert torch.equal(y[0] != 0, module.part.fc.bias.grad != 0)


def test_exported_without_it(graph):
    module = archspec.build(graph, recompute="*")
    assert "checkpoint" not in str(torch.export.export(module, (image(graph),)).graph)


def test_modules_with_buffers_of_their_own_move_them_once():
    text = SPEC.replace("bn: batch_norm2d", "bn: {op: instance_norm2d, affine: true, track_running_stats: true}")
    other = archspec.compile(archspec.load(text=text))
    assert alike(*(step(archspec.build(other, recompute=r), image(other)) for r in ((), "*")))


def test_the_backward_pass_may_come_again_and_after_a_change_of_mode(graph):
    found = []
    for recompute in (), ["one", "two"]:
        module = archspec.build(graph, recompute=recompute)
        torch.manual_seed(3)
        total = sum(output.square().sum() for output in module(image(graph)))
        parameters = list(module.parameters())
        once = torch.autograd.grad(total, parameters, retain_graph=True)
        module.eval()
        twice = torch.autograd.grad(total, parameters)
        assert not module.two.bn.training
        found.append([*once, *twice, *module.buffers()])
    assert alike(*found)


def test_plain_forms_are_asked_for_in_the_backward_pass_too():
    """Which on a GPU has a thread of its own."""
    norm = "{op: lrn, size: 5, alpha: 0.1, beta: 0.6, k: 1, divide_by_size: false, groups: 1}"
    text = (
        f"archspec: 1\nname: n\ninputs: {{x: [8, 4, 4]}}\nlayers: {{norm: {norm}, relu: relu}}\noutputs: {{y: relu}}\n"
    )
    module = archspec.build(archspec.compile(archspec.load(text=text)), recompute="*")
    x = torch.randn(2, 8, 4, 4, requires_grad=True)
    with plain_forms():
        y = module(x).sum()
    with torch.autograd.profiler.profile() as told:
        y.backward()
    assert not any(one.key.startswith("archspec::") for one in told.key_averages())


def test_what_is_no_part(graph):
    with pytest.raises(SpecError, match=r"recompute: `ones` matches no layer of net\n.*one"):
        archspec.build(graph, recompute="ones")
    with pytest.raises(TypeError, match="about the backward pass"):
        archspec.build(graph, recompute="one", optimize="inference")
