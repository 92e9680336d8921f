"""Where training runs: drawing on every core; learning in channels_last, in fp32 on a CPU and in bf16 on a GPU."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from multiprocessing import get_context
from typing import TypeVar

import cv2
import torch
from torch import nn
from tqdm import tqdm

Module = TypeVar("Module", bound=nn.Module)
Job = TypeVar("Job")
Result = TypeVar("Result")

GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if GPU else "cpu")


def place(module: Module) -> Module:
    """Move a module to where training runs, in the layout its convolutions like best."""
    return module.to(DEVICE, memory_format=torch.channels_last)  # type: ignore[call-overload]


def autocast() -> AbstractContextManager[object]:
    """bf16 on a GPU; on a CPU without bf16 units nothing, it would be a hundred times slower."""
    return torch.autocast("cuda", torch.bfloat16) if GPU else nullcontext()


def descend(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    """One step down the gradient of `loss`, whose norm over all of the optimizer's parameters is held to 1."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()


def on_all_cores(draw: Callable[[Job], Result], jobs: Sequence[Job], name: str) -> Iterator[Result]:
    """What `draw`, a function of a module, makes of each job, in order, in processes of its own."""
    with get_context("spawn").Pool(os.cpu_count(), cv2.setNumThreads, (1,)) as pool:
        yield from tqdm(pool.imap(draw, jobs), total=len(jobs), desc=name, mininterval=5)
