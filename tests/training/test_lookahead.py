"""Weights that follow slowly."""

from __future__ import annotations

import torch

from napari_selfsup_recon.training.lookahead import Lookahead


def test_every_sixth_step_goes_half_the_way() -> None:
    weight = torch.nn.Parameter(torch.zeros(3))
    follower = Lookahead([weight])
    seen = []
    for _ in range(12):
        with torch.no_grad():
            weight.add_(1.0)
        follower.update()
        seen.append(float(weight[0].detach()))
    assert seen == [1, 2, 3, 4, 5, 3, 4, 5, 6, 7, 8, 6]


def test_a_state_goes_on_where_it_was() -> None:
    def run(count: int, weight: torch.nn.Parameter, follower: Lookahead) -> None:
        for _ in range(count):
            with torch.no_grad():
                weight.mul_(1.1).add_(0.3)
            follower.update()

    whole, first, second = (torch.nn.Parameter(torch.ones(2)) for _ in range(3))
    run(13, whole, Lookahead([whole]))
    follower = Lookahead([first])
    run(8, first, follower)
    with torch.no_grad():
        second.copy_(first)
    resumed = Lookahead([second])
    resumed.load_state(follower.state())
    run(5, second, resumed)
    assert torch.equal(whole, second)
