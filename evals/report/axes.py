"""Axes: round ticks, and from numbers to places."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

LETTER = 6.6  # width of a character of a chart


@dataclass(frozen=True, slots=True)
class Tick:
    """A round number on an axis."""

    at: float
    label: str


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers that reach from `low` or less to `high` or more, one, two or five times a power of ten apart."""
    if high - low < 1e-9 * max(abs(low), abs(high), 1):
        around = abs(low) if abs(low) > 1e-6 else 1
        low, high = low - around / 2, high + around / 2
    rough = (high - low) / about
    power = 10 ** math.floor(math.log10(rough))
    step = next(k * power for k in (1, 2, 5, 10) if k * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def tick_label(value: float, step: float) -> str:
    """As many decimals as the step has."""
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value:,.{digits}f}".replace("-", "−")


def axis(values: Sequence[float]) -> list[float]:
    """What a share is best seen on is 0 to 1, unless its values are close together."""
    low, high = min(values), max(values)
    if low >= 0 and high <= 1 and (high - low > 0.4 or high == low):
        return ticks(0, 1)
    return ticks(low, high)


@dataclass(frozen=True, slots=True)
class Frame:
    """From numbers to places."""

    width: float
    height: float
    x_values: Sequence[float]
    y_values: Sequence[float]
    left: float = field(init=False)
    right: float = field(init=False)
    top: float = 30
    foot: float = 44  # under the axis: its numbers and its name
    bottom: float = field(init=False)

    def __post_init__(self) -> None:
        widest = max(len(tick.label) for tick in self.y_ticks(0, 1))
        object.__setattr__(self, "left", 14 + widest * LETTER)
        object.__setattr__(self, "right", self.width - 16)
        object.__setattr__(self, "bottom", self.height - self.foot)

    def x(self, value: float) -> float:
        return self._between(value, self.x_values, self.left, self.right)

    def y(self, value: float) -> float:
        return self._between(value, self.y_values, self.bottom, self.top)

    def x_ticks(self) -> tuple[Tick, ...]:
        return self._ticks(self.x_values, self.left, self.right)

    def y_ticks(self, bottom: float, top: float) -> tuple[Tick, ...]:
        return self._ticks(self.y_values, bottom, top)

    def _ticks(self, values: Sequence[float], start: float, end: float) -> tuple[Tick, ...]:
        step = values[1] - values[0]
        return tuple(
            Tick(self._between(v, values, start, end), tick_label(v, step)) for v in values
        )

    @staticmethod
    def _between(value: float, values: Sequence[float], start: float, end: float) -> float:
        return round(start + (value - values[0]) / (values[-1] - values[0]) * (end - start), 2)
