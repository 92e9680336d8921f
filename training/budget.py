"""Training by the clock: a time budget, the learning rate it implies, and a log line now and then."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch


@dataclass
class Budget:
    """`seconds` of wall time; the learning rate warms up, then falls along a cosine to 3 % of its peak.

    Resumable: `spent` seconds and `step` of an earlier session continue the same schedule.
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
