"""Steps of training: Muon as PyTorch has it, halves that add up, sixteen bits where a processor is quick at them."""

import pytest
import torch

from mlscope_nb.predict import train_network
from mlscope_nb.predict.arithmetic import arithmetic, mixed
from mlscope_nb.predict.halves import Halves
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


def test_sixteen_bits_are_used_only_where_the_processor_multiplies_them_itself(monkeypatch):
    half, full = "bfloat16", "float32"
    for told, expected in [({"amx_bf16": True}, half), ({"avx512_bf16": True}, half), ({"avx512_f": True}, full)]:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda told=told: told, raising=False)
        assert arithmetic("small", "cpu") == expected
        assert arithmetic("images", "cpu") == (half if "amx_bf16" in told else full)
        assert arithmetic("finetune", "cpu") == arithmetic("small", "cuda") == full
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


def small_model(norm=True):
    layers = [torch.nn.Conv2d(2, 4, 3), *([torch.nn.BatchNorm2d(4)] if norm else []), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(4 * 6 * 6, 3))
    for k, parameter in enumerate(model.parameters()):
        parameter.data = 0.1 * drawn(*parameter.shape, seed=k)
    return model


def summed(model, views, codes):
    return torch.nn.functional.cross_entropy(model(views), codes, reduction="sum")


@pytest.mark.parametrize("n", [5, 16, 17])
def test_gradients_of_halves_add_up_to_those_of_the_whole(n):
    views, codes = drawn(n, 2, 8, 8), torch.arange(n) % 3
    model = small_model(norm=False)
    halves = Halves(model)
    with halves.working():
        value = halves.backward(views, codes, loss=summed)
    whole = summed(model, views, codes)
    assert abs(value - whole.item()) < 1e-4
    for parameter, expected in zip(model.parameters(), torch.autograd.grad(whole, model.parameters()), strict=True):
        torch.testing.assert_close(parameter.grad, expected, rtol=1e-4, atol=1e-5)


def test_halves_are_the_same_on_one_core_and_on_two_and_remember_what_both_saw():
    views, codes = drawn(16, 2, 8, 8), torch.arange(16) % 3
    found, before = [], torch.get_num_threads()
    try:
        for cores in (1, 2):
            torch.set_num_threads(cores)
            halves = Halves(small_model())
            with halves.working():
                halves.backward(views, codes, loss=summed)
            assert torch.get_num_threads() == cores
            found.append([*(p.grad for p in halves.learning), *halves.models[0].buffers()])
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    seen = small_model()[0](views)
    torch.testing.assert_close(halves.models[0][1].running_mean, 0.1 * seen.mean(dim=(0, 2, 3)))
    assert torch.equal(halves.models[1][1].running_mean, halves.models[0][1].running_mean)


def test_what_goes_wrong_in_either_half_is_said():
    def fail(model, views, codes):
        if 1 in codes:
            raise ValueError("broken")
        return summed(model, views, codes)

    before = torch.get_num_threads()
    for codes in (torch.tensor([1] * 8 + [0] * 8), torch.tensor([0] * 8 + [1] * 8)):
        halves = Halves(small_model())
        with pytest.raises(ValueError, match="broken"), halves.working():
            halves.backward(drawn(16, 2, 8, 8), codes, loss=fail)
        assert torch.get_num_threads() == before
