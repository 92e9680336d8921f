"""Thinning of binary images, 64 pixels to the machine word."""

from typing import Any

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

_Bits = NDArray[Any]  # uint64, pixel x of a row is bit x % 64 of word x // 64


def thin(mask: MatLike) -> NDArray[np.uint8]:
    """Thin the strokes of a uint8 mask (height, width) to 8-connected lines one pixel wide, 0 or 1.

    What hangs together stays so, holes stay open and ends stay in place. The algorithm is A1 of
    Z. Guo and R. W. Hall, "Parallel thinning with two-subiteration algorithms", CACM 32(3), 1989,
    here as boolean algebra on packed rows. Its time grows with the widest stroke.
    """
    left, top, width, height = cv2.boundingRect(mask)
    area = slice(top, top + height), slice(left, left + width)
    # A clear bit ends each row, and a clear row lies above and below: the outside.
    words = width // 64 + 1
    packed = np.zeros((height + 2, words * 8), np.uint8)
    packed[1:-1, : (width + 7) // 8] = np.packbits(
        np.asarray(mask[area], np.uint8), axis=1, bitorder="little"
    )
    bits = packed.view("<u8").reshape(-1)
    idle = 0
    from_north_west = False
    while idle < 2:
        idle = 0 if _peel(bits, words, from_north_west) else idle + 1
        from_north_west = not from_north_west
    lines = np.zeros(mask.shape, np.uint8)
    lines[area] = np.unpackbits(packed[1:-1], axis=1, count=width, bitorder="little")
    return lines


def _peel(bits: _Bits, words: int, from_north_west: bool) -> bool:
    """Delete one layer of pixels on one side of every stroke; say whether there was any.

    The neighbours p2 .. p9 go clockwise from the north, as in the paper, whose conditions are
    C = 1 (`joins_once`), 2 <= N <= 3 (`enough`, `full`) and the side of the turn (`sheltered`).
    """
    east = bits >> np.uint64(1)
    east[:-1] |= bits[1:] << np.uint64(63)
    west = bits << np.uint64(1)
    west[1:] |= bits[:-1] >> np.uint64(63)
    above, here, below = slice(None, -2 * words), slice(words, -words), slice(2 * words, None)
    p2, p3, p4, p5 = bits[above], east[above], east[here], east[below]
    p6, p7, p8, p9 = bits[below], west[below], west[here], west[above]

    a, b, c, d = p9 | p2, p3 | p4, p5 | p6, p7 | p8
    joins_once = _exactly_one(b & ~p2, c & ~p4, d & ~p6, a & ~p8)
    enough, full = _two_and_four(a, b, c, d)
    enough_too, full_too = _two_and_four(p2 | p3, p4 | p5, p6 | p7, p8 | p9)
    sheltered = (p2 | p3 | ~p5) & p4 if from_north_west else (p6 | p7 | ~p9) & p8

    peeled = bits[here] & joins_once & enough & enough_too & ~(full & full_too | sheltered)
    bits[here] ^= peeled
    return bool(peeled.any())


def _exactly_one(a: _Bits, b: _Bits, c: _Bits, d: _Bits) -> _Bits:
    return ((a ^ b) & ~(c | d)) | ((c ^ d) & ~(a | b))


def _two_and_four(a: _Bits, b: _Bits, c: _Bits, d: _Bits) -> tuple[_Bits, _Bits]:
    """Return where at least two are set, and where all four are."""
    ab, cd = a & b, c & d
    return ab | cd | ((a | b) & (c | d)), ab & cd
