"""Where memory runs out: how torch says so, and how a pipeline makes do with less of it."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from diffusers import StableDiffusionControlNetPipeline

_SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "_ALLOC_FAILED")


def ran_out(error: Exception) -> bool:
    """Whether `error` says that there was no memory: of CUDA, cuDNN, Metal, and the CPU in torch's words."""
    import torch

    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


def free_memory() -> None:
    """Give back what nobody holds any more, the reserves of torch and of the C library included."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch and torch.cuda.is_available():
        torch.cuda.empty_cache()
    with suppress(
        AttributeError
    ):  # glibc's own; it would keep a third of a process of 1 GB after ten swaps of models
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def frugal(pipe: StableDiffusionControlNetPipeline) -> Iterator[None]:
    """While entered, `pipe` renders the same request in smaller pieces, and slower.

    The two halves of guidance go through the networks one after another, and the VAE decodes large pictures in
    tiles. Not diffusers' attention slicing: it would throw the IP-Adapter's weights away, and attention is
    computed in pieces anyhow.
    """
    networks = (pipe.unet, pipe.controlnet)
    for network in networks:
        network.forward = _one_by_one(network.forward)
    pipe.vae.enable_tiling()
    try:
        yield
    finally:
        pipe.vae.disable_tiling()
        for network in networks:
            del network.forward


def _one_by_one(forward: Callable[..., Any]) -> Callable[..., Any]:
    """`forward` of a batch of latents, as one call for each of them."""

    def each(latents: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        batch = len(latents)
        given = (latents, args, kwargs)
        parts = (_pick(given, number, batch) for number in range(batch))
        return _join([forward(one, *more, **named) for one, more, named in parts])

    return each


def _pick(value: Any, number: int, batch: int) -> Any:
    """What of nested `value` belongs to one member of the batch; all of what has no batch."""
    import torch

    if isinstance(value, torch.Tensor):
        batched = value.ndim > 0 and len(value) == batch
        return value[number : number + 1] if batched else value
    if isinstance(value, dict):
        return {key: _pick(entry, number, batch) for key, entry in value.items()}
    if isinstance(value, (tuple, list)):
        return [_pick(entry, number, batch) for entry in value]
    return value


def _join(parts: list[Any]) -> Any:
    """Outputs of the members, nested alike, as the output of the batch."""
    import torch

    if isinstance(parts[0], torch.Tensor):
        return torch.cat(parts)
    return [_join(list(column)) for column in zip(*parts, strict=True)]
