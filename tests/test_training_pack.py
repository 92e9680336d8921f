"""What training saves is what the pipeline loads."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file

from training.budget import Budget, seconds_spent
from training.cache import TOKENS
from training.nets import (
    add_ip_adapter,
    load_ip_adapter,
    new_controlnet,
    new_unet,
    save,
    trained_nets,
)
from training.pack import assemble, take_apart
from training.train_diffusion import draw_timesteps
from training.train_style_encoder import LOOK
from training.train_vae import LATENT_CHANNELS

STARTER = Path(__file__).parents[1] / "models/starter"


def test_the_saved_unet_and_adapter_are_the_trained_ones(tmp_path: Path) -> None:
    torch.manual_seed(0)
    unet = new_unet()
    controlnet = new_controlnet(unet)
    add_ip_adapter(unet)
    with torch.no_grad():
        for parameter in unet.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    save(tmp_path, unet.eval(), controlnet)

    loaded = UNet2DConditionModel.from_pretrained(tmp_path / "unet").eval()
    load_ip_adapter(loaded, tmp_path)

    noise, words, look = (
        torch.randn(1, LATENT_CHANNELS, 8, 8),
        torch.randn(1, TOKENS, 384),
        torch.randn(1, 1, LOOK),
    )

    def output(model: UNet2DConditionModel, style: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            result: torch.Tensor = model(
                noise, 500, words, added_cond_kwargs={"image_embeds": [style]}
            ).sample
        return result

    assert torch.allclose(output(unet, look), output(loaded, look), atol=2e-3)
    assert not torch.allclose(output(unet, look), output(loaded, -look), atol=2e-2)


def test_a_pack_taken_apart_is_what_training_goes_on_from_and_the_same_pack_again(
    tmp_path: Path,
) -> None:
    run, again = tmp_path / "run", tmp_path / "again"
    run.mkdir()
    take_apart(STARTER, run)
    assert seconds_spent(run / "diffusion.pt") == 0
    unet, _ = trained_nets(run)
    assert "encoder_hid_proj" in {name.split(".")[0] for name in unet.state_dict()}

    shutil.copytree(STARTER / "text", again / "text")
    assemble(run, again)
    files = sorted(file.relative_to(STARTER) for file in STARTER.rglob("*.safetensors"))
    assert files == sorted(file.relative_to(again) for file in again.rglob("*.safetensors"))
    for file in files:
        ours, theirs = load_file(again / file), load_file(STARTER / file)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours), file


def test_a_resumed_budget_goes_on_where_it_stopped(tmp_path: Path) -> None:
    checkpoint, log = tmp_path / "part.pt", tmp_path / "log"
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    fresh = Budget(100, 1.0, log, warmup_steps=1)
    fresh.restore(checkpoint, model=model, optimizer=optimizer)  # there is none yet
    assert fresh.next_step(optimizer)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1.0, abs=1e-3)
    Budget(100, 1.0, log, spent=90, step=500).keep(checkpoint, model=model, optimizer=optimizer)
    assert 90 <= seconds_spent(checkpoint) < 100
    assert list(tmp_path.glob("*.new")) == []

    learnt = model.weight.item()
    other = torch.nn.Linear(1, 1)
    resumed = Budget(100, 1.0, log, warmup_steps=1)
    resumed.restore(checkpoint, model=other, optimizer=optimizer)
    assert other.weight.item() == learnt
    assert resumed.next_step(optimizer)
    assert 0.03 < optimizer.param_groups[0]["lr"] < 0.3
    assert resumed.step == 501
    lacking = Budget(100, 1.0, log)
    lacking.restore(checkpoint, model=other, heads=model, optimizer=optimizer)
    assert lacking.step == 500
    assert not Budget(100, 1.0, log, spent=100).next_step(optimizer)


def test_a_part_never_trained_has_spent_nothing(tmp_path: Path) -> None:
    assert seconds_spent(tmp_path / "vae.pt") == 0


def test_every_noise_level_is_drawn_the_last_one_often() -> None:
    t = draw_timesteps(np.random.default_rng(0), 20_000)
    assert t.min() >= 0
    assert t.max() == 999
    assert (t == 999).mean() > 0.04
    assert np.histogram(t, 10, (0, 1000))[0].min() > 400
