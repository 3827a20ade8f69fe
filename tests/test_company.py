"""A network trains to the same bits alone, among others, in any chunk and on any threads."""

from dataclasses import replace

import pytest
import torch

from examples import FEW, MOONS, parameters, same_bits, three_classes, tiny
from helpers.data import moons
from helpers.recipes import POST
from helpers.training import train, train_draws

THREE = three_classes()


def results(networks, problem, recipe, **kwargs):
    run = train(networks, problem, recipe, loss_every=3, **kwargs)
    return {seed: [p[i] for p in [*parameters(run.networks), run.losses]]
            for i, seed in enumerate(networks.seeds)}


@pytest.fixture(params=[2, 4, 8])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


COMPANIES = pytest.mark.parametrize("widths, problem, recipe", [
    ((2, 25, 17, 1), MOONS, replace(POST, steps=12, batch_size=13)),
    ((4, 13, 3), THREE, replace(POST, steps=9, batch_size=31)),
    ((2, 25, 17, 1), MOONS, replace(POST, steps=6, batch_size=None)),
    ((2, 7, 1), MOONS, replace(FEW, steps=9, optimiser="momentum")),
], ids=["one logit", "many logits", "full batch", "momentum"])


@COMPANIES
def test_same_bits_in_any_company(widths, problem, recipe, monkeypatch):
    networks = tiny(64, widths)
    together = results(networks, problem, recipe)
    companies = [results(networks.select(list(range(64))[::-1]), problem, recipe),
                 *(results(networks.select(i), problem, recipe) for i in (0, 13, 63))]
    for chunk in 1, 7, 33:
        monkeypatch.setattr("helpers.training._chunk_size", lambda *_, chunk=chunk: chunk)
        companies.append(results(networks.select(slice(35)), problem, recipe))
    for company in companies:
        for seed, values in company.items():
            assert all(map(torch.equal, values, together[seed])), f"seed {seed} differs"


@COMPANIES
@pytest.mark.parametrize("company", [64, 3, 1])
def test_same_bits_on_many_threads(company, widths, problem, recipe, monkeypatch, threads):
    monkeypatch.setattr("helpers.training._chunk_size", lambda *_: 64)
    networks = tiny(company, widths)
    on_many = results(networks, problem, recipe)
    torch.set_num_threads(1)
    for seed, values in results(networks, problem, recipe).items():
        assert all(map(torch.equal, values, on_many[seed])), f"seed {seed} differs"


def test_groups_on_several_draws_train_as_they_would_alone(monkeypatch):
    problems = [moons(n_train=60, n_test=40, seed=seed) for seed in range(3)]
    groups, orders = [tiny(3), tiny(1), tiny(2)], [None, (9,), (1, 0)]
    monkeypatch.setattr("helpers.training._chunk_size", lambda *_: 4)
    runs = train_draws(groups, problems, FEW, orders, loss_every=5, snapshots=3)
    for run, group, problem, order in zip(runs, groups, problems, orders, strict=True):
        alone = train(group, problem, FEW, order, loss_every=5, snapshots=3)
        assert same_bits(run.networks, alone.networks) and torch.equal(run.losses, alone.losses)
        assert (run.loss_steps, run.snapshot_steps) == (alone.loss_steps, alone.snapshot_steps)
        assert all(map(same_bits, run.snapshots, alone.snapshots))


def test_flushing_of_denormals_ends_with_training():
    train(tiny(1), MOONS, replace(FEW, steps=1))
    assert torch.tensor([1e-39]) * 1 != 0
