"""Training by the clock: a time budget, the learning rate it implies, a progress bar, a log and a checkpoint."""

import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from training.plots import plot_losses

STAY = 0.65  # share of the time at the peak learning rate
BAR = "{desc}: {percentage:3.0f}%|{bar:20}| {remaining} left {postfix}"

Part = nn.Module | torch.optim.Optimizer


@dataclass
class Budget:
    """`seconds` of wall time; the learning rate warms up, stays, and falls to 3 % of its peak at the end.

    So a run that is taken up again for longer lost nothing to its first ending (S. Hu et al., "MiniCPM", 2024).
    `restore` continues where `keep` left off, in an earlier session too.
    """

    seconds: float
    peak_rate: float
    log: Path
    warmup_steps: int = 60
    spent: float = 0.0
    step: int = 0
    _start: float = field(default_factory=time.monotonic)
    _losses: list[float] = field(default_factory=list)
    _examples: int = 0
    _logged: float = 0.0  # value of `elapsed` at the last line of the log
    _bar: "tqdm[NoReturn] | None" = None

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
        falling = max(0.0, (used - STAY) / (1 - STAY))
        rate = self.peak_rate * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * falling)))
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, self.step / self.warmup_steps)
        return True

    def keep(self, checkpoint: Path, *, finished: bool = False, **parts: Part) -> None:
        """Write what `restore` needs. A kill while writing leaves the last checkpoint whole.

        Only a `finished` one, written when the stage's results are on disk, says that all the time is spent.
        """
        state = {name: part.state_dict() for name, part in parts.items()}
        fresh = checkpoint.with_suffix(".new")
        spent = self.elapsed if finished else min(self.elapsed, 0.999 * self.seconds)
        torch.save(state | {"spent": spent, "step": self.step}, fresh)
        fresh.replace(checkpoint)
        if self._losses and self._bar is not None:
            self._report(self._bar)

    def restore(self, checkpoint: Path, **parts: Part) -> None:
        """Continue from `checkpoint`, if there is one; a step that was not kept is done again.

        Parts that it lacks, as one made from a pack does, begin anew.
        """
        if checkpoint.exists():
            state = torch.load(checkpoint, weights_only=True, map_location="cpu")
            for name in parts.keys() & state.keys():
                parts[name].load_state_dict(state[name])
            self.spent = self._logged = state["spent"]
            self.step = state["step"]

    def generator(self, seed: int) -> np.random.Generator:
        """Chance that follows from the seed and from the step at which this session begins."""
        torch.manual_seed(seed + self.step)
        return np.random.default_rng((seed, self.step))

    def note(self, loss: float, examples: int, every: int = 50) -> None:
        """Remember the loss of a step on `examples`; log, plot and show the mean of the last `every`."""
        self._losses.append(loss)
        self._examples += examples
        if self._bar is None:
            name = self.log.name.partition(".")[0]
            self._bar = tqdm(
                total=self.seconds, initial=self.elapsed, desc=name, mininterval=5, bar_format=BAR
            )
        self._bar.update(min(self.elapsed, self.seconds) - self._bar.n)
        if self.step % every == 0:
            self._report(self._bar)

    def _report(self, bar: "tqdm[NoReturn]") -> None:
        line = {
            "step": self.step,
            "loss": round(float(np.mean(self._losses)), 5),
            "minutes": round(self.elapsed / 60, 2),
            "examples_per_s": round(self._examples / (self.elapsed - self._logged), 2),
        }
        self._losses.clear()
        self._examples, self._logged = 0, self.elapsed
        with self.log.open("a") as file:
            file.write(json.dumps(line) + "\n")
        plot_losses(self.log.parent)
        bar.set_postfix({key: line[key] for key in ("step", "loss", "examples_per_s")})


def seconds_spent(checkpoint: Path) -> float:
    """How long the training behind `checkpoint` has run, 0 when there is none."""
    if not checkpoint.exists():
        return 0.0
    spent: float = torch.load(checkpoint, weights_only=True, mmap=True)["spent"]
    return spent
