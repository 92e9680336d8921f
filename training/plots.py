"""Loss curves of a run, as a picture."""

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

WIDTH, HEIGHT, MARGIN = 640, 220, 36  # px, of one curve


def plot_losses(folder: Path) -> None:
    """Draw every *.log.jsonl in `folder`, loss over minutes, into `folder`/losses.png."""
    logs = sorted(folder.glob("*.log.jsonl"))
    sheet = Image.new("RGB", (WIDTH, HEIGHT * len(logs)), "white")
    for row, log in enumerate(logs):
        lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
        name = log.name.partition(".")[0]
        sheet.paste(_curve(name, lines), (0, row * HEIGHT))
    sheet.save(folder / "losses.png")


def _curve(name: str, lines: list[dict[str, float]]) -> Image.Image:
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(image)
    minutes = np.array([max(line["minutes"], 1e-3) for line in lines])
    losses = np.log([line["loss"] for line in lines])
    x = MARGIN + (WIDTH - 2 * MARGIN) * minutes / minutes.max()
    height = HEIGHT - 2 * MARGIN
    y = MARGIN + height * (losses.max() - losses) / max(float(np.ptp(losses)), 1e-6)
    draw.rectangle((MARGIN, MARGIN, WIDTH - MARGIN, HEIGHT - MARGIN), outline="#bbbbbb")
    draw.line([(float(a), float(b)) for a, b in zip(x, y, strict=True)], fill="#1f4e8c", width=2)
    title = f"{name}: loss {np.exp(losses[0]):.3f} to {np.exp(losses[-1]):.3f} (logarithmic)"
    draw.text((MARGIN, 12), f"{title}, {minutes[-1]:.0f} minutes", fill="black")
    return image
