"""Critics without batch statistics."""

from __future__ import annotations

import torch

from napari_selfsup_recon.networks.critics import MultiScaleCritic, PatchCritic


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def made(**more: int) -> MultiScaleCritic:
    return MultiScaleCritic(
        widths=(8, 8, 8), generator=torch.Generator().manual_seed(0), **more
    ).eval()


def test_an_image_is_judged_alone() -> None:
    critic = made()
    batch = images(3, 1, 64, 64)
    together = critic(batch)
    assert together.shape[0] == 3
    for index in range(3):
        torch.testing.assert_close(critic(batch[index : index + 1])[0], together[index])


def test_scales_count_the_same() -> None:
    critic = made(scales=2)
    x = images(1, 1, 64, 64)
    small = torch.nn.functional.avg_pool2d(x, 2)
    fine, coarse = critic.critics[0](x), critic.critics[1](small)
    expected = (fine.mean() + coarse.mean()) / 2
    torch.testing.assert_close(critic(x).mean(), expected)
    # Too small for the second scale.
    assert critic(images(1, 1, 24, 24)).shape == (1, 36)


def test_scores_change_at_most_as_fast_as_the_layers_allow() -> None:
    critic = PatchCritic(1, (8, 16, 16), torch.Generator().manual_seed(0)).train()
    x = images(4, 1, 32, 32)
    for _ in range(30):  # the power iteration settles while training
        critic(x)
    for layer in critic.layers:
        kernel = layer.weight.detach()
        largest = torch.linalg.matrix_norm(kernel.flatten(1), 2)
        assert float(largest) < 1.05


def test_the_seed_decides_whatever_the_global_generator() -> None:
    first = made()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(123)
        again = made()
    other = MultiScaleCritic(widths=(8, 8, 8), generator=torch.Generator().manual_seed(1))
    pairs = zip(first.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    kernels = [net.critics[0].layers[0].weight for net in (first, other)]
    assert not torch.equal(*kernels)
    x = images(1, 1, 32, 32)
    assert torch.equal(first(x), again(x))
