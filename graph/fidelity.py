"""How true a render is to the sketch, to the style and to the words."""

import numpy as np
from PIL import Image

from graph.blend import style_views
from graph.context import Context, Studio
from graph.state import Fidelity, StyleWeight
from tools.fidelity import geometry_scores, palette, palette_distance, similarity


def measure(
    render: Image.Image,
    lines: Image.Image | None,
    styles: list[StyleWeight],
    prompt: str,
    studio: Studio,
    context: Context,
) -> Fidelity:
    """Score an RGB `render` against its edge map (mode L, same size), its styles and its prompt.

    The style score is the cosine with the mean of the references by their shares, the palette score
    the mean distance to their palettes; cosines below 0 count as 0. Blocking: runs the encoder.
    """
    seen = studio.encoder.embed_image(render)
    text = max(0.0, similarity(seen, studio.encoder.embed_query(prompt)))
    fidelity = Fidelity(geometry=None, invented=None, style=None, palette=None, text=text)
    if lines is not None:
        scores = geometry_scores(lines, render)
        fidelity["geometry"], fidelity["invented"] = scores.kept, scores.invented
    if styles:
        vectors, shares = zip(
            *style_views(styles, studio.encoder.embed_image, context), strict=True
        )
        blend = np.average(vectors, axis=0, weights=shares)
        fidelity["style"] = max(0.0, similarity(seen, blend / np.linalg.norm(blend)))
        own = palette(render)
        fidelity["palette"] = sum(
            share * palette_distance(own, other)
            for other, share in style_views(styles, palette, context)
        )
    return fidelity
