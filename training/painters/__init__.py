"""Painters: one procedural hand per style of the library, free looks beside them, moods over both.

A painter turns a raster and a palette into an RGB picture, floats 0..1 of shape (size, size, 3).
"""

from training.painters.brush import Hand, Picture, draw_hand
from training.painters.looks import FREE, PAINTERS, Look, Painter, accent_look, draw_look, paint
from training.painters.moods import MOODS, mood_words
from training.painters.palettes import (
    ACCENT,
    COLOURS,
    INK,
    Palette,
    jitter_palette,
    parse_palette,
    random_palette,
)

__all__ = [
    "ACCENT",
    "COLOURS",
    "FREE",
    "INK",
    "MOODS",
    "PAINTERS",
    "Hand",
    "Look",
    "Painter",
    "Palette",
    "Picture",
    "accent_look",
    "draw_hand",
    "draw_look",
    "jitter_palette",
    "mood_words",
    "paint",
    "parse_palette",
    "random_palette",
]
