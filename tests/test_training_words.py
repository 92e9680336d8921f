"""The stage that widens the words, on the shipped pack's networks and a cache of noise."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from training import train_words
from training.budget import Budget, seconds_spent
from training.cache import CELLS, TOKENS, Cache
from training.data import SIZE
from training.nets import trained_nets
from training.pack import take_apart
from training.train_style_encoder import LOOK
from training.train_vae import LATENT_CHANNELS

STARTER = Path(__file__).parents[1] / "models/starter"
COUNT = 4


def noise() -> Cache:
    rng = np.random.default_rng(0)
    return Cache(
        torch.randn(COUNT, LATENT_CHANNELS, CELLS, CELLS).half(),
        rng.integers(0, 256, (COUNT, SIZE * SIZE // 8), np.uint8),
        rng.integers(0, 6, (COUNT, CELLS, CELLS), np.uint8),
        torch.randn(COUNT, LOOK),
        torch.randn(COUNT, TOKENS, 384).half(),
    )


def test_only_what_reads_words_learns_and_the_run_goes_on_with_it(tmp_path: Path) -> None:
    take_apart(STARTER, tmp_path)
    before = [net.state_dict() for net in trained_nets(tmp_path)]
    torch.save(noise().__dict__, tmp_path / f"cache-50-{COUNT}.pt")
    train_words.train(tmp_path, seconds=1, seed=0, count=COUNT, batch=1)

    after = [net.state_dict() for net in trained_nets(tmp_path)]
    changed = {
        name
        for old, new in zip(before, after, strict=True)
        for name in old
        if not torch.equal(old[name], new[name])
    }
    assert changed
    assert all(name.endswith(("attn2.to_k.weight", "attn2.to_v.weight")) for name in changed)
    assert seconds_spent(tmp_path / "words.pt") >= 1
    assert seconds_spent(tmp_path / "diffusion.pt") == 0


def test_killed_between_its_two_checkpoints_it_still_ends_half_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_apart(STARTER, tmp_path)
    torch.save(noise().__dict__, tmp_path / f"cache-50-{COUNT}.pt")
    before = readers(tmp_path)
    keep = Budget.keep

    def killed_at_the_end(self: Budget, checkpoint: Path, **parts: Any) -> None:
        if parts.pop("finished", False):
            raise KeyboardInterrupt
        keep(self, checkpoint, **parts)

    with monkeypatch.context() as patch:
        patch.setattr(Budget, "keep", killed_at_the_end)
        with pytest.raises(KeyboardInterrupt):
            train_words.train(tmp_path, seconds=1, seed=0, count=COUNT, batch=1)
    once = readers(tmp_path)
    train_words.train(tmp_path, seconds=1, seed=0, count=COUNT, batch=1)
    assert (readers(tmp_path) - before).norm() < 1.25 * (once - before).norm()
    assert "readers" not in torch.load(tmp_path / "words.pt", weights_only=True)


def readers(run: Path) -> torch.Tensor:
    """All weights through which the networks of a run read words, as one vector."""
    modules = [m for net in trained_nets(run) for m in train_words.word_readers(net)]
    return torch.cat([x.detach().flatten() for m in modules for x in m.parameters()])
