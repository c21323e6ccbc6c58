"""Steps of training: Muon as PyTorch has it, and sixteen bits only where the processor is quick at them."""

import pytest
import torch

from mlscope_nb.predict import train_network
from mlscope_nb.predict.arithmetic import arithmetic, mixed
from mlscope_nb.predict.muon import Muon, orthogonal
from tests.predict.test_network import FEW, make, same


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(8, 40), (40, 8), (16, 16)])
def test_a_matrix_is_made_orthogonal_in_its_own_directions(shape):
    u, _, v = torch.linalg.svd(drawn(*shape), full_matrices=False)
    spectrum = torch.linspace(1, 0.05, len(v))
    found = orthogonal(5 * u @ torch.diag(spectrum) @ v)
    inside = u.T @ found @ v.T
    assert float(inside.diagonal().min()) > 0.6 and float(inside.diagonal().max()) < 1.25
    assert float((inside - torch.diag(inside.diagonal())).abs().max()) < 1e-3
    assert torch.equal(orthogonal(torch.zeros(shape)), torch.zeros(shape))


@pytest.mark.parametrize("shape", [(8, 40), (40, 8)])
def test_muon_walks_as_that_of_pytorch_does(shape):
    ours, theirs = (torch.nn.Parameter(drawn(*shape)) for _ in range(2))
    options = {"lr": 0.05, "weight_decay": 0.1}
    walks = [Muon([ours], **options), torch.optim.Muon([theirs], adjust_lr_fn="original", **options)]
    for k in range(5):
        ours.grad = theirs.grad = drawn(*shape, seed=k)
        for walk in walks:
            walk.step()
    moved = theirs.detach() - drawn(*shape)
    # PyTorch's works with eight bits of precision.
    assert float((ours.detach() - theirs.detach()).norm() / moved.norm()) < 0.02


def test_sixteen_bits_are_used_only_where_the_processor_multiplies_matrices_of_them(monkeypatch):
    for told, expected in [({"amx_bf16": True}, "bfloat16"), ({"amx_bf16": False}, "float32"), ({}, "float32")]:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda told=told: told, raising=False)
        assert arithmetic("small", "cpu") == expected
        assert arithmetic("finetune", "cpu") == arithmetic("small", "cuda") == "float32"
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert arithmetic("small", "cpu") == "float32"
    a, b = drawn(4, 8), drawn(8, 4, seed=1)
    with mixed("bfloat16", "cpu"):
        assert (a @ b).dtype == torch.bfloat16
    with mixed("float32", "cpu"):
        assert torch.equal(a @ b, torch.matmul(a, b)) and (a @ b).dtype == torch.float32


@pytest.mark.parametrize("chosen", ["float32", "bfloat16"])
def test_either_way_training_learns_is_resumed_exactly_and_keeps_its_weights_in_full(chosen, monkeypatch):
    monkeypatch.setattr("mlscope_nb.predict.image_model.arithmetic", lambda model, device: chosen)
    cells = make()
    options = {**FEW, "epochs": 6}
    whole = train_network(cells, **options)
    assert whole.settings["arithmetic"] == chosen
    assert {v.dtype for v in whole.model.state_dict().values()} == {torch.float32, torch.int64}
    assert whole.records[-1]["loss"] < whole.records[0]["loss"]

    def stop(epoch, record):
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="Stopped by hand"):
        part = train_network(cells, on_epoch=stop, **options)
    # Wherever it goes on, it goes on as it began.
    other = {"float32": "bfloat16", "bfloat16": "float32"}[chosen]
    monkeypatch.setattr("mlscope_nb.predict.image_model.arithmetic", lambda model, device: other)
    finished = train_network(cells, resume=part, **options)
    assert same(finished, whole) and finished.records == whole.records
    assert not same(train_network(cells, **options), whole)
