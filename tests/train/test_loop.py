"""The loop against loops written by hand."""

import copy
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

import archspec
from archspec.data.loader import Presented
from archspec.data.stream import Group
from archspec.errors import SpecError
from archspec.parts.optimizer import SGD
from archspec.train.average import averaged
from archspec.train.exact import recalibrated
from archspec.train.job import prepare_module
from archspec.train.loop import train
from archspec.train.parameter_groups import parameter_groups
from archspec.train.state import freeze_norms, fresh, numbers_of, restore, tensors_of
from tests.train.small import SPEC, small_job, small_state

PLAIN = {
    "mix": "[]",
    "augment": "[{op: random_crop, size: 12, offsets: inclusive}]",
    "schedule": "{op: step, every: 6 steps, factor: 0.1}",
    "optimizer": "{op: sgd, lr: 0.1, momentum: 0.9, weight_decay: 0.01, lr_in_velocity: false}",
    "select": "last",
    "length": "12 steps",
    "batch_norm": "{at_test: moving}",
}
"""The small recipe without what a loop by hand would have to repeat."""


def finish(job, state):
    return [one for one in train(job, state) if one.kind != "step"]


def batches(job, step):
    """The groups of a step as floats and targets."""
    presented = job.stream(step)
    size = job.recipe.batch.group or len(presented)
    count = -(-len(presented) // size)
    make = Presented(job.train, job.pipeline, job.recipe.seed, skip=False)
    for number in range(count):
        batch = make(Group(step, number, tuple(presented[number::count])))
        yield job.floats(job.pipeline, batch), batch.targets


def with_spec(job, *changes):
    """The job for a spec in which texts are replaced."""
    text = SPEC
    for old, new in (("  drop: {op: dropout, p: 0.3}\n", ""), ("from: drop", "from: relu1"), *changes):
        text = text.replace(old, new)
    return replace(job, graph=archspec.compile(archspec.load(text=text)))


def test_loop_is_the_loop_one_would_write():
    """torch's SGD on the mean of the loss over the whole batch, auxiliary head included."""
    job = with_spec(small_job({**PLAIN, "batch": "{size: 14, last: keep}"}, log_every=1, precision="fp64"))
    state = small_state(job)
    model = copy.deepcopy(state.module).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    losses = []
    for step in range(job.total):
        optimizer.param_groups[0]["lr"] = 0.1 * 0.1 ** (step // 6)
        ((pixels, target),) = batches(job, step)
        logits, aux = model(pixels)
        loss = F.cross_entropy(logits, target, label_smoothing=0.1)
        loss = loss + 0.3 * F.cross_entropy(aux, target, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    records = [one for one in finish(job, state) if one.kind == "train"]
    assert [one.values["train.loss"] for one in records] == pytest.approx(losses, abs=1e-12)
    assert [one.values["lr"] for one in records] == pytest.approx([0.1] * 6 + [0.01] * 6)
    for key, value in model.state_dict().items():
        assert torch.allclose(state.module.state_dict()[key], value, atol=1e-12), key


def test_groups_add_up_to_the_whole_batch():
    """Of a network without batch norm and dropout, however unevenly the batch is divided."""
    found = []
    for group in ("", "group: 1, ", "group: 4, ", "group: 13, "):
        settings = {**PLAIN, "batch": f"{{size: 14, {group}last: keep}}"}
        job = small_job(settings, log_every=1, precision="fp64")
        job = with_spec(job, ("  bn1: batch_norm2d\n", ""), ("  bn2: batch_norm2d\n", ""))
        state = fresh(job, prepare_module(job))
        found.append([one.values["train.loss"] for one in finish(job, state) if one.kind == "train"])
    for losses in found[1:]:
        assert losses == pytest.approx(found[0], abs=1e-12)


def test_running_statistics_move_once_a_step_by_the_mean_over_groups():
    job = small_job({**PLAIN, "batch": "{size: 14, group: 5, last: keep}", "length": "1 steps"}, precision="fp64")
    state = small_state(job)
    model = copy.deepcopy(state.module).train()
    means = [model.conv1(pixels).mean((0, 2, 3)) for pixels, _ in batches(job, 0)]
    variances = [model.conv1(pixels).var((0, 2, 3), correction=1) for pixels, _ in batches(job, 0)]
    finish(job, state)
    assert len(means) == 3
    assert torch.allclose(state.module.bn1.running_mean, 0.1 * torch.stack(means).mean(0), atol=1e-12)
    assert torch.allclose(state.module.bn1.running_var, 0.9 + 0.1 * torch.stack(variances).mean(0), atol=1e-12)
    assert int(state.module.bn1.num_batches_tracked) == 1 and state.module.bn1.momentum == 0.1


def test_network_is_itself_again_however_training_ends():
    """Batch norm's momentum is 1 while groups are counted."""
    job = small_job()
    state = small_state(job)
    records = train(job, state)
    next(records)
    assert state.module.bn1.momentum == 1.0
    records.close()
    assert state.module.bn1.momentum == 0.1


def test_weights_of_losses_can_be_set_and_an_output_left_out():
    losses = {}
    for weights in ("{}", "{aux1: 0}", "{aux1: 1.3}"):
        job = small_job({**PLAIN, "loss_weights": weights, "length": "1 steps"}, log_every=1)
        losses[weights] = finish(job, small_state(job))[0].values["train.loss"]
    aux = losses["{aux1: 1.3}"] - losses["{}"]
    assert losses["{}"] - losses["{aux1: 0}"] == pytest.approx(0.3 * aux, rel=1e-4)


def test_rules_on_parameters_and_those_that_match_nothing():
    graph = archspec.compile(archspec.load(text=SPEC))
    module = archspec.build(graph)
    rules = [
        {"parameter": "bias", "lr_mult": 2.0, "decay_mult": 0.0},
        {"op": "batch_norm2d", "decay_mult": 0.0},
        {"match": "conv*", "lr_mult": 0.5},
    ]
    optimizer = SGD(lr=0.1, momentum=0.9, lr_in_velocity=True, weight_decay=0.01, groups=rules)
    found = {
        tuple(group["names"]): (group["lr"], group["weight_decay"])
        for group in parameter_groups(optimizer, graph, module)
    }
    assert found == {
        ("bn1.bias", "aux_fc.bias", "conv2.bias", "bn2.bias", "fc.bias"): (0.2, 0.0),
        ("bn1.weight", "bn2.weight"): (0.1, 0.0),
        ("conv1.weight", "conv2.weight"): (0.05, 0.01),
        ("aux_fc.weight", "fc.weight"): (0.1, 0.01),
    }
    wrong = SGD(lr=0.1, momentum=0.9, lr_in_velocity=True, groups=[{"op": "batchnorm2d"}])
    with pytest.raises(SpecError, match=r"optimizer\.groups\.0.*matches no parameter of small") as error:
        parameter_groups(wrong, graph, module)
    assert "did you mean `batch_norm2d`" in str(error.value)


def test_frozen_layers_stay_as_they_are():
    optimizer = PLAIN["optimizer"].replace("lr: 0.1", 'freeze: ["conv1", "bn1"], lr: 0.1')
    job = small_job({**PLAIN, "optimizer": optimizer})
    state = small_state(job)
    before = copy.deepcopy(state.module.state_dict())
    finish(job, state)
    after = state.module.state_dict()
    for key in before:
        frozen = key.startswith(("conv1.", "bn1."))
        assert torch.equal(before[key], after[key]) == frozen or key.endswith("num_batches_tracked"), key
    freeze_norms(state.module.train())
    assert not state.module.bn1.training and state.module.bn2.training


@pytest.mark.parametrize(("average", "shares"), [("{op: ema, decay: 0.9}", None), ("{op: mean}", "mean")])
def test_average_of_weights(average, shares):
    job = small_job({**PLAIN, "average": average, "length": "5 steps"}, precision="fp64")
    state, seen = small_state(job), []
    for one in train(job, state):
        if one.kind == "step":
            seen.append(state.module.fc.weight.detach().clone())
    expected = seen[0]
    for count, weights in enumerate(seen[1:], 1):
        share = 1 / (count + 1) if shares else 0.1
        expected = expected + share * (weights - expected)
    assert torch.allclose(state.average["fc.weight"], expected, atol=1e-12)
    with averaged(state):
        assert torch.equal(state.module.fc.weight, state.average["fc.weight"])
    assert torch.equal(state.module.fc.weight, seen[-1]) and torch.equal(
        state.final["fc.weight"], state.average["fc.weight"]
    )


def test_exact_statistics_are_those_of_the_final_weights():
    job = small_job(
        {**PLAIN, "batch": "{size: 14, group: 7, last: wrap}", "batch_norm": "{at_test: exact, over: 28 samples}"},
        precision="fp64",
    )
    state = small_state(job)
    finish(job, state)
    model = copy.deepcopy(state.module).eval()
    groups = [pixels for step in (job.total, job.total + 1) for pixels, _ in batches(job, step)]
    mean = torch.stack([model.conv1(pixels).mean((0, 2, 3)) for pixels in groups]).mean(0)
    assert len(groups) == 4
    moving = state.module.bn1.running_mean.clone()
    with recalibrated(job, state):
        assert torch.allclose(state.module.bn1.running_mean, mean, atol=1e-12)
    assert torch.equal(state.module.bn1.running_mean, moving)


def test_gradients_are_clipped_together():
    huge = (
        PLAIN["optimizer"]
        .replace("lr: 0.1", "lr: 0.1, clip_norm: 0.001")
        .replace("weight_decay: 0.01", "weight_decay: 0")
    )
    job = small_job({**PLAIN, "optimizer": huge, "length": "1 steps", "average": "null"}, precision="fp64")
    state = small_state(job)
    before = [p.detach().clone() for p in state.module.parameters()]
    finish(job, state)
    moved = torch.cat([(p - old).flatten() for p, old in zip(state.module.parameters(), before, strict=True)]).norm()
    assert moved.item() == pytest.approx(0.1 * 0.001, rel=1e-3)


def test_dropout_and_mixing_depend_on_the_step_alone():
    """A step done by itself, with whatever torch's generator held before, is the step of a run."""
    job = small_job({"length": "3 steps"}, log_every=1)
    first = finish(job, small_state(job))
    torch.manual_seed(99)
    assert finish(job, small_state(job)) == first
    other = small_job({"length": "3 steps", "seed": 1}, log_every=1)
    assert finish(other, small_state(other))[0].values["train.loss"] != first[0].values["train.loss"]


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "{op: rmsprop, alpha: 0.99, momentum: 0.9}"])
def test_other_optimizers_learn_and_are_restored(optimizer, tmp_path):
    fields = optimizer if optimizer.startswith("{") else f"{{op: {optimizer}}}"
    fields = fields.replace("}", ", lr: 0.003}")
    job = small_job({**PLAIN, "optimizer": fields, "length": "6 steps"})
    whole = small_state(job)
    finish(job, whole)
    part = small_state(job)
    for one in train(job, part, lambda: True):
        assert one.step == 1
    again = small_state(job)
    restore(again, numbers_of(part, job), {k: v.clone() for k, v in tensors_of(part).items()})
    finish(job, again)
    for key, value in whole.module.state_dict().items():
        assert torch.equal(value, again.module.state_dict()[key]), key


@pytest.mark.parametrize("optimize", [False, True])
def test_parts_that_are_computed_again_change_no_bit(optimize):
    parts = ["bn*", "conv*", "drop", "gap"]
    found = []
    for recompute in ([], parts):
        job = small_job(None, log_every=1, optimize=optimize, recompute=recompute)
        state = small_state(job)
        found.append((finish(job, state), state.final))
    assert found[0][0] == found[1][0]
    assert all(torch.equal(value, found[1][1][key]) for key, value in found[0][1].items())


def test_optimised_networks_learn_the_same():
    job = with_spec(small_job(PLAIN, log_every=1, precision="fp64"))
    whole = finish(job, small_state(job))
    job = replace(job, execution=job.execution.model_copy(update={"optimize": True}))
    for one, other in zip(finish(job, small_state(job)), whole, strict=True):
        assert one.values == pytest.approx(other.values, rel=0, abs=1e-9)


def test_half_precision_leaves_weights_whole():
    job = small_job({**PLAIN}, precision="bf16")
    state = small_state(job)
    records = finish(job, state)
    assert all(p.dtype == torch.float32 for p in state.module.parameters())
    full = finish(small_job(PLAIN), small_state(small_job(PLAIN)))
    near = [one.values["train.loss"] for one in records if one.kind == "train"]
    assert near == pytest.approx([one.values["train.loss"] for one in full if one.kind == "train"], rel=0.05)
