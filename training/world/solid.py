"""A small ray caster: a model under the sun, seen through a pinhole, as a raster."""

from functools import partial

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from training.world.model import Body, Camera, Convex, Ellipsoid, Floats, Form, Frustum, Model
from training.world.scene import BACKDROP, Bend, Raster, Scene, displacement

SKY_LIGHT, SUN_LIGHT = (
    0.56,
    0.68,
)  # light on a face in shade, and what the sun adds when it stands above it


def solid_scene(kind: str, model: Model, camera: Camera) -> Scene:
    """The scene that `camera` sees of `model`."""
    return Scene(kind, accents=model.accents, cast=partial(cast, model, camera))


def _dot(a: MatLike, b: MatLike) -> MatLike:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _hit(form: Form, origin: MatLike, ray: MatLike) -> tuple[MatLike, MatLike]:
    """Distance along each ray (inf: missed) and index of the face; (3, ...) broadcast against (3, ...)."""
    if isinstance(form, Convex):
        return _hit_convex(form, origin, ray)
    if isinstance(form, Ellipsoid):
        scale = form.radii.reshape(3, *(1,) * (ray.ndim - 1))
        o, d = (origin - form.centre.reshape(scale.shape)) / scale, ray / scale
        a, b, c = _dot(d, d), _dot(o, d), _dot(o, o) - 1
        root = b * b - a * c
        t = (-b - np.sqrt(np.maximum(root, 0))) / a
        return np.where((root > 0) & (t > 0), t, np.inf), np.zeros(t.shape, np.int32)
    return _hit_frustum(form, origin, ray)


def _hit_convex(form: Convex, origin: MatLike, ray: MatLike) -> tuple[MatLike, MatLike]:
    shape = np.broadcast_shapes(origin.shape, ray.shape)[1:]
    near, far = np.zeros(shape, np.float32), np.full(shape, np.inf, np.float32)
    face = np.full(shape, -1, np.int32)
    for i, (normal, reach) in enumerate(zip(form.normals, form.reach, strict=True)):
        facing = _dot(normal, ray)
        t = (reach - _dot(normal, origin)) / facing
        if form.hollow:
            closer = (facing > 0) & (t < far)
            np.copyto(far, t, where=closer)
            face[closer] = i
            continue
        entering = facing < 0
        later = entering & (t > near)
        np.copyto(near, t, where=later)
        np.copyto(face, i, where=later)
        np.copyto(far, t, where=~entering & (t < far))
    if form.hollow:
        return far, face
    return np.where((near < far) & (face >= 0), near, np.inf), face


def _hit_frustum(form: Frustum, origin: MatLike, ray: MatLike) -> tuple[MatLike, MatLike]:
    tall = form.high - form.low
    slope = (form.head - form.foot) / tall
    ox, oz = origin[0] - form.centre[0], origin[2] - form.centre[1]
    radius = form.foot + (origin[1] - form.low) * slope
    grow = ray[1] * slope
    a = ray[0] ** 2 + ray[2] ** 2 - grow**2
    b = ox * ray[0] + oz * ray[2] - radius * grow
    c = ox**2 + oz**2 - radius**2
    root = b * b - a * c
    t = (-b - np.sqrt(np.maximum(root, 0))) / a
    y = origin[1] + t * ray[1]
    best = np.where((root > 0) & (t > 0) & (y > form.low) & (y < form.high), t, np.inf)
    face = np.zeros(best.shape, np.int32)
    for i, (level, reach) in enumerate(((form.high, form.head), (form.low, form.foot)), start=1):
        t = (level - origin[1]) / ray[1]
        x, z = ox + t * ray[0], oz + t * ray[2]
        closer = (x * x + z * z < reach * reach) & (t > 0) & (t < best)
        best = np.where(closer, t, best)
        face[closer] = i
    return best, face


def _normals(form: Form, at: Floats, face: MatLike) -> Floats:
    """Outward unit normals (3, n) at the points (3, n)."""
    if isinstance(form, Convex):
        return (form.normals[face] * (-1 if form.hollow else 1)).T
    if isinstance(form, Ellipsoid):
        out = (at - form.centre[:, None]) / form.radii[:, None] ** 2
    else:
        dx, dz = at[0] - form.centre[0], at[2] - form.centre[1]
        slope = (form.foot - form.head) / (form.high - form.low)
        out = np.stack([dx, np.hypot(dx, dz) * slope, dz])
        out[:, face > 0] = 0
        out[1, face > 0] = np.where(face[face > 0] == 1, 1, -1)
    return (out / np.maximum(np.linalg.norm(out, axis=0), 1e-9)).astype(np.float32)


def cast(model: Model, camera: Camera, size: int, bend: Bend | None) -> Raster:
    """What `camera` sees, with hard edges at `size` px and shadows a few px soft."""
    axes, eye = camera.axes(), np.array(camera.eye, np.float32)
    at = (np.arange(size, dtype=np.float32) + 0.5) / size
    x, y = np.meshgrid(at, at)
    if bend is not None:
        moved = displacement(bend, x, y)
        x, y = x - moved[..., 0], y - moved[..., 1]
    plane = np.stack([(x - 0.5) / camera.zoom, (0.5 - y) / camera.zoom, np.ones_like(x)])
    rays = np.tensordot(axes.T, plane, 1).astype(np.float32)
    depth = np.full((size, size), np.inf, np.float32)
    faces = np.full((size, size), -1, np.int32)  # index of the face over all bodies
    normals = np.zeros((3, size, size), np.float32)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for body in model.bodies:
            window = _window(body, axes, eye, camera.zoom, size)
            if window is None:
                continue
            ray = rays[:, *window]
            t, face = _hit(body.form, eye[:, None, None], ray)
            seen = t < depth[window]
            if not seen.any():
                continue
            depth[window][seen] = t[seen]
            faces[window][seen] = body.first + (0 if body.one else face[seen])
            points = eye[:, None] + ray[:, seen] * t[seen]
            normals[:, *window][:, seen] = _normals(body.form, points, face[seen])
        shade = _light(model, camera, eye, rays, depth, faces, normals)
    labels = np.array([*model.labels, BACKDROP], np.uint8)[faces]
    return Raster(labels, faces + 1, _boundaries(faces), shade)


def _window(
    body: Body, axes: Floats, eye: Floats, zoom: float, size: int
) -> tuple[slice, slice] | None:
    if not len(body.corners):
        return slice(0, size), slice(0, size)
    right, up, ahead = axes @ (body.corners - eye).T
    if ahead.min() < 0.05:
        return (slice(0, size), slice(0, size)) if ahead.max() > 0.05 else None
    x, y = (0.5 + zoom * right / ahead) * size, (0.5 - zoom * up / ahead) * size
    pad = 3 + size // 64
    x0, x1 = max(int(x.min()) - pad, 0), min(int(x.max()) + pad, size)
    y0, y1 = max(int(y.min()) - pad, 0), min(int(y.max()) + pad, size)
    return (slice(y0, y1), slice(x0, x1)) if x0 < x1 and y0 < y1 else None


def _boundaries(faces: NDArray[np.int32]) -> NDArray[np.uint8]:
    edges = np.zeros(faces.shape, np.float32)
    edges[:, :-1][faces[:, :-1] != faces[:, 1:]] = 1
    edges[:-1][faces[:-1] != faces[1:]] = 1
    soft = cv2.GaussianBlur(edges, (3, 3), 0.5) * 1.35
    return (np.minimum(soft, 1) * 255).astype(np.uint8)


def _light(
    model: Model,
    camera: Camera,
    eye: Floats,
    rays: Floats,
    depth: Floats,
    faces: NDArray[np.int32],
    normals: Floats,
) -> Floats:
    sun = camera.sun_direction()
    size = len(faces)
    toward = np.maximum(_dot(sun, normals), 0)
    step = max(1, size // 128)
    coarse = slice(step // 2, None, step)
    at = eye[:, None, None] + rays[:, coarse, coarse] * np.minimum(depth[coarse, coarse], 1e4)
    open_sky = _sunlit(
        model, sun, at + 0.004 * normals[:, coarse, coarse], toward[coarse, coarse] > 0
    )
    lit = cv2.GaussianBlur(cv2.resize(open_sky, (size, size)), (0, 0), size / 150)
    height = eye[1] + rays[1] * depth
    near_ground = np.exp(-np.maximum(height, 0) / 0.35) * (np.abs(normals[1]) < 0.9)
    shade = SKY_LIGHT * (1 + 0.12 * normals[1] - 0.16 * near_ground) + SUN_LIGHT * toward * lit
    things = ((faces >= 0) & (normals[1] < 0.95)).astype(np.float32)
    contact = cv2.GaussianBlur(things, (0, 0), size / 40) * (normals[1] >= 0.95)
    shade = np.where(faces >= 0, shade * (1 - 0.14 * contact), 1)
    return np.clip(shade, 0.45, 1.25).astype(np.float32)


def _sunlit(model: Model, sun: Floats, at: MatLike, facing: NDArray[np.bool_]) -> Floats:
    """1 where nothing stands between the point and the sun, else 0; 1 where the face looks away."""
    across = np.cross(sun, np.array([0, 1, 0], np.float32))
    across /= np.linalg.norm(across)
    plane = np.stack([across, np.cross(across, sun)]).astype(np.float32)
    rows, columns = np.nonzero(facing)
    points = at[:, rows, columns].astype(np.float32)
    u, v = plane @ points
    clear = np.ones(len(rows), bool)
    ray = sun[:, None]
    for body in model.bodies:
        if not body.throws:
            continue
        (u0, v0), (u1, v1) = (plane @ body.corners.T).min(1), (plane @ body.corners.T).max(1)
        near = np.flatnonzero((u > u0) & (u < u1) & (v > v0) & (v < v1) & clear)
        if len(near):
            clear[near] = ~(_hit(body.form, points[:, near], ray)[0] < np.inf)
    lit = np.ones(facing.shape, np.float32)
    lit[rows, columns] = clear
    return lit
