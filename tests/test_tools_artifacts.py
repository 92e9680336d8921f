"""Blobs come back as they went in, and nothing else does."""

import hashlib
import resource
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tools.artifacts import ArtifactStore
from tools.errors import DiskFull, InvalidRequest, NotFound


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_blob_is_named_by_its_hash_and_survives_a_restart(tmp_path: Path) -> None:
    data = b"\x00webm\xff" * 100
    artifact_id = ArtifactStore(tmp_path).put(data, "video/webm")
    assert artifact_id == hashlib.sha256(data).hexdigest()
    found = ArtifactStore(tmp_path).get(artifact_id)
    assert (found.id, found.media_type, found.data) == (artifact_id, "video/webm", data)


def test_the_same_bytes_are_stored_once(store: ArtifactStore, tmp_path: Path) -> None:
    first = store.put(b"{}", "application/json")
    assert store.put(b"{}", "video/mp4") == first
    assert store.get(first).media_type == "application/json"
    assert len(files_in(tmp_path)) == 1


@pytest.mark.parametrize(
    "artifact_id",
    ["", "0" * 64, "A" * 64, "../secret.png", "..%2fsecret", "0" * 63 + "\n", "é" * 64, "x" * 9999],
)
def test_an_unknown_or_malformed_id_is_not_found(
    store: ArtifactStore, tmp_path: Path, artifact_id: str
) -> None:
    store.put(b"{}", "application/json")
    (tmp_path / "secret.png").write_bytes(b"secret")
    assert not store.exists(artifact_id)
    for read in (store.get, store.image):
        with pytest.raises(NotFound) as error:
            read(artifact_id)
        assert error.value.code == "unknown_artifact"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_an_image_comes_back_in_its_mode(store: ArtifactStore, mode: str) -> None:
    image = Image.radial_gradient("L").resize((40, 30)).convert(mode)
    loaded = store.image(store.put_image(image))
    assert loaded.mode == mode
    assert loaded.tobytes() == image.tobytes()


def test_equal_pixels_have_one_id_whatever_the_file_carried(store: ArtifactStore) -> None:
    image = Image.linear_gradient("L").convert("RGB")
    jpeg = BytesIO()
    exif = Image.Exif()
    exif[0x010F] = "a camera's maker"
    image.save(jpeg, "JPEG", exif=exif, icc_profile=b"profile", dpi=(300, 300))
    with Image.open(jpeg) as carried:
        carried.load()
    plain = Image.frombytes("RGB", carried.size, carried.tobytes())
    artifact_id = store.put_image(carried)
    assert artifact_id == store.put_image(plain)
    assert set(store.image(artifact_id).info) == set()
    assert "icc_profile" in carried.info


def test_metadata_is_readable_and_its_order_does_not_matter(store: ArtifactStore) -> None:
    image = Image.new("RGB", (8, 8), "teal")
    metadata = {"prompt": "Café à l’aube, 東京", "seed": "7"}
    artifact_id = store.put_image(image, metadata)
    assert store.put_image(image, dict(reversed(metadata.items()))) == artifact_id
    assert store.put_image(image) != artifact_id
    assert store.image(artifact_id).info == metadata


def test_only_an_image_is_an_image(store: ArtifactStore) -> None:
    with pytest.raises(InvalidRequest) as error:
        store.image(store.put(b"{}", "application/json"))
    assert error.value.code == "unsupported_image"
    assert "application/json" in error.value.message


def test_an_unknown_media_type_is_a_mistake_of_ours(store: ArtifactStore, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="text/html"):
        store.put(b"<script>", "text/html")
    assert files_in(tmp_path) == []


def test_a_disk_that_fills_up_leaves_nothing_torn(store: ArtifactStore, tmp_path: Path) -> None:
    blob = b"x" * 100_000
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(DiskFull, match=str(tmp_path)):
            store.put(blob, "video/mp4")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files_in(tmp_path) == []
    assert store.get(store.put(blob, "video/mp4")).data == blob


def test_many_writers_of_one_blob_agree(store: ArtifactStore, tmp_path: Path) -> None:
    blob = bytes(range(256)) * 2000
    with ThreadPoolExecutor(8) as threads:
        ids = set(threads.map(lambda _: store.put(blob, "image/webp"), range(32)))
    assert ids == {hashlib.sha256(blob).hexdigest()}
    assert [path.read_bytes() for path in files_in(tmp_path)] == [blob]
