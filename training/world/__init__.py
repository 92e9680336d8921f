"""The procedural world: scenes by topic, flat or solid, each drawn from one random generator."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from training.world.animals import ANIMALS, animal, fish
from training.world.buildings import castle, church, facade, house, lighthouse, tower
from training.world.interiors import (
    bedroom,
    dining_room,
    hallway,
    kitchen,
    living_room,
    study,
    window_seat,
)
from training.world.marks import blobs, composition, lettering, ribbons, tiles
from training.world.nature import forest, hills, lake, mountains, seaside
from training.world.people import person, sitter
from training.world.products import PRODUCTS, product
from training.world.scene import (
    ACCENT,
    BACKDROP,
    GROUND,
    LIGHT,
    MAIN,
    SECOND,
    Raster,
    Rng,
    Scene,
    framed,
    mirrored,
    rasterise,
    wobble,
)
from training.world.solid_outdoors import pavilion, stairs, towers, viaduct, village
from training.world.solid_rooms import room_corner, still_life
from training.world.streets import (
    arch_bridge,
    corner,
    hung_bridge,
    skyline,
    square,
    street,
    truss_bridge,
)
from training.world.vehicles import bicycle, bus, car, train, van
from training.world.vessels import balloon, plane, rocket, sailing_boat, ship

__all__ = [
    "ACCENT", "BACKDROP", "GROUND", "LIGHT", "MAIN", "SCENES", "SECOND", "SOLIDS", "TOPICS", "Raster", "Rng", "Scene",
    "draw_scene", "rasterise", "wobble",
]  # fmt: skip

Generator = Callable[[Rng], Scene]

TOPICS: dict[str, tuple[Generator, ...]] = {
    "buildings": (house, facade, tower, lighthouse, castle, church),
    "streets": (skyline, street, corner, square, arch_bridge, hung_bridge, truss_bridge),
    "interiors": (living_room, dining_room, kitchen, bedroom, study, hallway, window_seat),
    "nature": (hills, mountains, forest, seaside, lake),
    "products": tuple(product(kind) for kind in PRODUCTS),
    "vehicles": (car, van, bus, sailing_boat, ship, bicycle, train, plane, rocket, balloon),
    "figures": (person, sitter, fish, *(animal(kind) for kind in ANIMALS)),
    "marks": (lettering, composition, blobs, ribbons, tiles),
}
SOLIDS: tuple[Generator, ...] = (
    village,
    towers,
    pavilion,
    still_life,
    room_corner,
    stairs,
    viaduct,
)
SCENES: tuple[Generator, ...] = (*(draw for topic in TOPICS.values() for draw in topic), *SOLIDS)
SOLID_SHARE = 0.3
LEAST_ACCENT = 0.004  # share of the picture


def draw_scene(rng: Rng) -> Scene:
    """One random scene, its accents all in sight; flat ones mirrored half of the time and framed closer or wider."""
    if rng.random() < SOLID_SHARE:
        return _with_seen_accents(SOLIDS[rng.integers(len(SOLIDS))](rng))
    topics = list(TOPICS.values())
    topic = topics[rng.integers(len(topics))]
    scene = topic[rng.integers(len(topic))](rng)
    if rng.random() < 0.5:
        scene = mirrored(scene)
    zoom = rng.uniform(0.92, 1.12) if rng.random() < 0.75 else rng.uniform(1.12, 1.4)
    place = rng.uniform(0.35, 0.65), rng.uniform(0.45, 0.8)
    return _with_seen_accents(framed(scene, zoom, *place))


def _with_seen_accents(scene: Scene) -> Scene:
    """`scene` without the nouns that fill less than `LEAST_ACCENT` of the picture."""
    shapes = rasterise(scene, 64).shapes
    least = LEAST_ACCENT * shapes.size
    accents = {
        noun: indices
        for noun, indices in scene.accents.items()
        if np.isin(shapes, np.array(indices) + 1).sum() >= least
    }
    return replace(scene, accents=accents)
