"""Training by the clock: a time budget, the learning rate it implies, a log line and a checkpoint now and then."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

Part = nn.Module | torch.optim.Optimizer


@dataclass
class Budget:
    """`seconds` of wall time; the learning rate warms up, then falls along a cosine to 3 % of its peak.

    `restore` continues the schedule of an earlier session where `keep` left it.
    """

    seconds: float
    peak_rate: float
    log: Path
    warmup_steps: int = 60
    spent: float = 0.0
    step: int = 0
    _start: float = field(default_factory=time.monotonic)
    _losses: list[float] = field(default_factory=list)

    @property
    def elapsed(self) -> float:
        """Seconds trained so far, earlier sessions included."""
        return self.spent + time.monotonic() - self._start

    def next_step(self, optimizer: torch.optim.Optimizer) -> bool:
        """Count a step and set its learning rate; False when the time is over."""
        used = self.elapsed / self.seconds
        if used >= 1.0:
            return False
        self.step += 1
        rate = float(self.peak_rate * (0.03 + 0.97 * 0.5 * (1 + np.cos(np.pi * used))))
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, self.step / self.warmup_steps)
        return True

    def keep(self, checkpoint: Path, **parts: Part) -> None:
        """Write what `restore` needs. A kill while writing leaves the last checkpoint whole."""
        state = {name: part.state_dict() for name, part in parts.items()}
        fresh = checkpoint.with_suffix(".new")
        torch.save(state | {"spent": self.elapsed, "step": self.step}, fresh)
        fresh.replace(checkpoint)

    def restore(self, checkpoint: Path, **parts: Part) -> None:
        """Continue from `checkpoint`, if there is one."""
        if checkpoint.exists():
            state = torch.load(checkpoint, weights_only=True)
            for name, part in parts.items():
                part.load_state_dict(state[name])
            self.spent, self.step = state["spent"], state["step"]

    def note(self, loss: float, every: int = 50) -> None:
        """Remember a loss; log the mean of the last `every`."""
        self._losses.append(loss)
        if self.step % every == 0:
            line = {
                "step": self.step,
                "loss": round(float(np.mean(self._losses)), 5),
                "minutes": round(self.elapsed / 60, 2),
            }
            self._losses.clear()
            with self.log.open("a") as file:
                file.write(json.dumps(line) + "\n")
            print(line, flush=True)


def seconds_spent(checkpoint: Path) -> float:
    """How long the training behind `checkpoint` has run, 0 when there is none."""
    if not checkpoint.exists():
        return 0.0
    spent: float = torch.load(checkpoint, weights_only=True, mmap=True)["spent"]
    return spent
