"""One pass of a diffusers scheduler: the noise it begins with, its estimates, and how to go on with it later."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import cv2

if TYPE_CHECKING:
    import torch

# What the multistep schedulers of diffusers carry from one step to the next.
CARRIED = (
    "_step_index", "model_outputs", "lower_order_nums", "timestep_list", "last_sample", "this_order",
    "counter", "ets", "cur_sample", "cur_model_output",
)  # fmt: skip


LOW = 2.0  # cells: deviation of the blur whose result counts as low frequencies


def calm_noise(shape: tuple[int, int, int], seed: int, low: float) -> torch.Tensor:
    """White noise (channels, height, width) of deviation 1 whose low frequencies are scaled by `low`, 0..1.

    Low frequencies of the first noise become the colours of whole areas, and a small network believes what it sees
    there: walls turn out mottled. Calmed, sketch and reference decide. That layout and colour follow the low
    frequencies of the first noise was shown by T. Wu et al., "FreeInit", 2023.
    """
    import torch

    noise = torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed))
    if low == 1:
        return noise
    blurred = cv2.GaussianBlur(noise.permute(1, 2, 0).numpy(), (0, 0), LOW)
    return noise - (1 - low) * torch.from_numpy(blurred).permute(2, 0, 1)


class Sampling:
    """While entered, the scheduler's next pass is watched, and begins where `saved` left an earlier one of it.

    `estimate` is the scheduler's idea of the finished latents after each step, (n, channels, h, w), or None where it
    has none: schedulers return it beside the next latents, the pipeline throws it away, and it is what a preview
    should show. The pass ends after step `until` of them all, if that is given. `lead` may change what the network said
    before the scheduler hears it.
    """

    def __init__(
        self,
        scheduler: Any,
        saved: bytes | None,
        device: torch.device,
        until: int | None = None,
        lead: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> None:
        self.estimate: torch.Tensor | None = None
        self.done = 0  # steps of earlier passes
        self.latents: torch.Tensor | None = None  # to begin with; None: noise
        self._scheduler = scheduler
        self._until = until
        self._lead = lead
        self._carried: dict[str, Any] = {}
        self._step: Callable[..., Any] = scheduler.step
        self._set_timesteps: Callable[..., Any] = scheduler.set_timesteps
        if saved is not None:
            self._read(saved, device)

    def save(self, number: int, latents: torch.Tensor) -> bytes:
        """What a later pass goes on from, after step `number` left `latents`."""
        import torch

        carried = {name: value for name, value in vars(self._scheduler).items() if name in CARRIED}
        buffer = io.BytesIO()
        torch.save({"done": number, "latents": latents, "carried": carried}, buffer)
        return buffer.getvalue()

    def _read(self, saved: bytes, device: torch.device) -> None:
        import torch

        state = torch.load(io.BytesIO(saved), weights_only=True, map_location=device)
        self.done, self.latents, self._carried = state["done"], state["latents"], state["carried"]

    def __enter__(self) -> Sampling:
        timesteps: Any = None

        def set_timesteps(*args: Any, **kwargs: Any) -> None:
            nonlocal timesteps
            self._set_timesteps(*args, **kwargs)
            timesteps = self._scheduler.timesteps
            left = timesteps[self.done : self._until]
            self._scheduler.timesteps = left  # those the pipeline shall go through

        def step(output: Any, *args: Any, **kwargs: Any) -> Any:
            if self._carried:
                vars(self._scheduler).update(self._carried)
                self._carried = {}
            self._scheduler.timesteps = timesteps  # the scheduler counts all of them
            heard = output if self._lead is None else self._lead(output)
            result = self._step(heard, *args, **kwargs)
            self.estimate = result[1] if isinstance(result, tuple) and len(result) > 1 else None
            return result

        # The pipeline looks at both signatures to see which arguments they take.
        step.__signature__ = inspect.signature(self._step)  # type: ignore[attr-defined]
        set_timesteps.__signature__ = inspect.signature(self._set_timesteps)  # type: ignore[attr-defined]
        self._scheduler.step, self._scheduler.set_timesteps = step, set_timesteps
        return self

    def __exit__(self, *_: object) -> None:
        del self._scheduler.step, self._scheduler.set_timesteps
