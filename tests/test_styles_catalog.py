"""The style library on disk: strict reading, atomic writing, slugs that cannot leave it."""

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from styles.catalog import Catalog, CatalogError, check_references, derive_palette, load_style
from tools.errors import AppError, Conflict, InvalidRequest, NotFound

ROOT = Path(__file__).parent.parent
LIBRARY = ROOT / "styles" / "library"
PALETTE = ("#102030", "#203040", "#304050", "#405060", "#f0f0f0", "#000000")
TOML = """\
name = "Chalk Board"
description = "White chalk on a dusty green school board."
tags = ["chalk", "school"]
mood = ["plain"]
era = "20th century"
palette = [
    "#102030",
    "#203040",
    "#304050",
    "#405060",
    "#f0f0f0",
    "#000000",
]
prompt = "{prompt}, chalk on a green board"
licence = "Apache-2.0"
source = "Drawn for this test"
"""


def write_style(library: Path, slug: str = "chalk-board", toml: str = TOML) -> Path:
    folder = library / slug
    folder.mkdir(parents=True)
    (folder / "style.toml").write_text(toml, encoding="utf-8")
    Image.new("RGB", (32, 32), "green").save(folder / "reference-1.png")
    return folder


def swatches(count: int = 3) -> list[Image.Image]:
    return [Image.new("RGB", (40, 30), (60 * number, 90, 30)) for number in range(count)]


def fields(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Chalk",
        "description": "White chalk on a school board.",
        "tags": ["chalk"],
        "prompt": "{prompt}, in chalk",
        "images": swatches(),
        "palette": PALETTE,
    } | changes


@pytest.fixture
def user_library(tmp_path: Path) -> Path:
    return tmp_path / "styles of mine"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A copy of the shipped styles: a test that removes one must never reach the real ones."""
    copy = tmp_path / "shipped"
    for style in LIBRARY.glob("*/style.toml"):
        (copy / style.parent.name).mkdir(parents=True)
        shutil.copy(style, copy / style.parent.name)
    return copy


@pytest.fixture
def catalog(library: Path, user_library: Path) -> Catalog:
    return Catalog(library, user_library)


def test_the_shipped_library_is_complete_and_within_its_own_rules() -> None:
    catalog = Catalog(LIBRARY)
    assert len(catalog.styles) >= 24
    for slug, style in catalog.styles.items():
        assert slug == style.folder.name
        assert 6 <= len(style.tags) <= 12, slug
        assert 3 <= len(style.mood) <= 5, slug
        assert 2 <= style.description.count(". ") + 1 <= 4, slug
        assert len(style.prompt.split()) <= 30, slug
        assert style.licence == "Apache-2.0"


def test_every_shipped_style_has_captions_of_its_own() -> None:
    shipped = Catalog(ROOT / "styles" / "library").styles.values()
    assert all(len(style.captions) >= 40 for style in shipped)
    every = [caption for style in shipped for caption in style.captions]
    assert len(set(every)) == len(every)
    assert all(3 <= len(caption.split()) <= 20 for caption in every)


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ('era = "20', 'eras = ["x"]\nera = "20', 5, "eras: unknown key; did you mean 'era'?"),
        ("prompt =", "[prompts]\nprompt =", 14, "prompts: unknown key"),
        ('mood = ["plain"]\n', "", 1, "mood: missing"),
        ('    "#405060",\n', '    "#40506g",\n', 10, "'#40506g' is no colour"),
        ('    "#405060",\n', "", 6, "palette: 5 entries; write exactly 6"),
        ('"{prompt}, chalk', '"chalk', 14, "put {prompt} where"),
        ('"{prompt}, chalk', '"{prompt}, {chalk}', 14, "take the other braces out"),
        ('"{prompt}, chalk', '"{prompt}, {prompt} chalk', 14, "keep one {prompt}"),
        ('tags = ["chalk", "school"]', 'tags = "chalk"', 3, "write it as a list of texts"),
        ('"school"', "7", 3, "write it as a list of texts"),
        ('["chalk", "school"]', "[]", 3, "tags: 0 entries; write 1 to 16"),
        ('name = "Chalk Board"', "name = 7", 1, "name: write it as a text in quotes"),
        ('"Chalk Board"', '"' + "x" * 61 + '"', 1, "name: 61 characters"),
        ('"Chalk Board"', '"Chalk\\u202e"', 1, "invisible control character"),
        ("era =", "era :", 5, "not TOML"),
        ('"Drawn for this test"', "", 16, "not TOML"),
    ],
)
def test_a_fault_is_reported_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, says: str
) -> None:
    assert old in TOML
    folder = write_style(tmp_path, toml=TOML.replace(old, new, 1))
    with pytest.raises(CatalogError) as raised:
        load_style(folder)
    assert f"{folder / 'style.toml'}:{line}: " in raised.value.message
    assert says in raised.value.message


def test_bytes_that_are_not_utf8_are_reported_with_their_line(tmp_path: Path) -> None:
    path = write_style(tmp_path) / "style.toml"
    path.write_bytes(TOML.encode().replace(b"20th", b"\xff0th"))
    with pytest.raises(CatalogError, match=r"style\.toml:5: not UTF-8"):
        load_style(path.parent)


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    path = write_style(tmp_path) / "style.toml"
    path.write_bytes(b"\xef\xbb\xbf" + TOML.replace("\n", "\r\n").encode())
    assert load_style(path.parent).palette == PALETTE


def test_two_bad_files_are_both_named(library: Path, user_library: Path) -> None:
    write_style(user_library, "first-bad", TOML.replace("era", "age"))
    write_style(user_library, "second-bad", TOML.replace("#000000", "black"))
    write_style(user_library, "good")
    with pytest.raises(CatalogError) as raised:
        Catalog(library, user_library)
    lines = raised.value.message.splitlines()
    assert sum("first-bad/style.toml:5: age: unknown key" in line for line in lines) == 1
    assert sum("second-bad/style.toml:12: palette: 'black'" in line for line in lines) == 1
    assert not any("good" in line for line in lines)


def test_a_folder_without_a_style_or_with_a_bad_name_is_named(
    library: Path, user_library: Path
) -> None:
    (user_library / "empty-one").mkdir(parents=True)
    write_style(user_library, "Shouting Name")
    with pytest.raises(CatalogError) as raised:
        Catalog(library, user_library)
    assert "empty-one/style.toml: missing" in raised.value.message
    assert "Shouting Name: rename the folder: a slug is" in raised.value.message


def test_a_user_folder_cannot_replace_a_shipped_style(library: Path, user_library: Path) -> None:
    write_style(user_library, "art-deco")
    with pytest.raises(CatalogError, match="rename the folder"):
        Catalog(library, user_library)


def test_a_library_path_that_holds_no_styles_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no styles here"):
        Catalog(tmp_path / "nowhere")


def test_a_dropped_in_folder_appears_after_reload_and_goes_again(
    catalog: Catalog, user_library: Path
) -> None:
    assert catalog.reload() is False
    folder = write_style(user_library)
    assert catalog.reload() is True
    assert catalog.get("chalk-board").name == "Chalk Board"
    assert not catalog.built_in("chalk-board")
    assert catalog.reload() is False
    shutil.rmtree(folder)
    assert catalog.reload() is True
    assert "chalk-board" not in catalog.styles


def test_a_broken_drop_in_leaves_the_old_styles_in_use_until_it_is_mended(
    catalog: Catalog, user_library: Path
) -> None:
    path = write_style(user_library, toml=TOML.replace("licence", "license")) / "style.toml"
    for _ in range(2):
        with pytest.raises(CatalogError, match=r"license: unknown key; did you mean 'licence'"):
            catalog.reload()
    assert "art-deco" in catalog.styles
    path.write_text(TOML, encoding="utf-8")
    assert catalog.reload() is True
    assert "chalk-board" in catalog.styles


def test_an_added_style_reads_back_the_same_and_can_be_removed(
    catalog: Catalog, library: Path, user_library: Path
) -> None:
    hostile = 'Quotes " and \\ back\\nslash, tabs\tand é ünïcode 花, "]\n[evil]\nx = 1 #'
    added = catalog.add(
        "my-style", **fields(name='The "Best"', description=hostile, mood=["odd"], era="Now")
    )
    assert added.description == " ".join(hostile.split())
    assert added == load_style(user_library / "my-style")
    assert added == Catalog(library, user_library).get("my-style")
    assert added.palette == PALETTE
    assert [path.name for path in added.references] == [f"reference-{n}.webp" for n in (1, 2, 3)]
    check_references(added)
    assert list(catalog.styles) == sorted(catalog.styles)

    catalog.remove("my-style")
    assert list(user_library.iterdir()) == []
    assert "my-style" not in catalog.styles
    with pytest.raises(NotFound):
        catalog.remove("my-style")


def test_a_reference_keeps_its_shape_and_is_bounded(catalog: Catalog) -> None:
    style = catalog.add("wide", **fields(images=[Image.new("RGB", (2000, 1000), "teal")]))
    with Image.open(style.references[0]) as image:
        assert image.size == (768, 384)
    with pytest.raises(CatalogError, match="1 reference images; put in 3"):
        check_references(style)


def test_a_half_written_style_leaves_nothing(catalog: Catalog, user_library: Path) -> None:
    images = swatches()
    images[1].close()  # the first reference is on disk when the second one fails
    with pytest.raises(ValueError, match="closed image"):
        catalog.add("half", **fields(images=images))
    assert list(user_library.iterdir()) == []
    assert "half" not in catalog.styles
    catalog.add("half", **fields())


def test_the_remains_of_a_killed_process_are_not_styles(
    catalog: Catalog, library: Path, user_library: Path
) -> None:
    draft = user_library / ".adding-xyz"
    draft.mkdir(parents=True)
    (draft / "style.toml").write_text("name = ", encoding="utf-8")
    assert catalog.reload() is False
    assert set(Catalog(library, user_library).styles) == set(catalog.styles)


def test_a_slug_is_taken_once_also_by_another_process(
    catalog: Catalog, library: Path, user_library: Path
) -> None:
    other = Catalog(library, user_library)
    catalog.add("mine", **fields(name="First"))
    for second in (catalog, other):
        with pytest.raises(Conflict) as raised:
            second.add("mine", **fields(name="Second"))
        assert (raised.value.code, raised.value.status) == ("style_exists", 409)
    assert [path.name for path in user_library.iterdir()] == ["mine"]
    assert load_style(user_library / "mine").name == "First"
    with pytest.raises(Conflict):
        catalog.add("art-deco", **fields())


def test_a_shipped_style_cannot_be_removed(catalog: Catalog, library: Path) -> None:
    with pytest.raises(Conflict) as raised:
        catalog.remove("art-deco")
    assert (raised.value.code, raised.value.status) == ("built_in_style", 409)
    assert (library / "art-deco" / "style.toml").is_file()


def test_without_a_user_library_nothing_can_be_added(library: Path) -> None:
    with pytest.raises(Conflict) as raised:
        Catalog(library).add("mine", **fields())
    assert raised.value.code == "no_user_library"


@pytest.mark.parametrize(
    "slug",
    ["../x", "..", ".", "", "a", "a/b", "/etc", "a\\b", "A-Style", "é-style", "x" * 41, "ab\n"],
)
def test_a_slug_cannot_leave_the_library(
    catalog: Catalog, library: Path, tmp_path: Path, slug: str
) -> None:
    with pytest.raises(InvalidRequest) as raised:
        catalog.add(slug, **fields())
    assert raised.value.code == "invalid_slug"
    for lookup in (catalog.get, catalog.remove):
        with pytest.raises(NotFound) as missing:
            lookup(slug)
        assert missing.value.code == "unknown_style"
    assert [path.name for path in tmp_path.iterdir()] == ["shipped"]
    assert {path.name for path in library.iterdir()} == set(catalog.styles)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"prompt": "no place for words"}, "prompt: put {prompt}"),
        ({"palette": PALETTE[:5]}, "palette: 5 entries"),
        ({"palette": (*PALETTE[:5], "red")}, "'red' is no colour"),
        ({"name": ""}, "name: 0 characters"),
        ({"name": "bell\x07"}, "invisible control character"),
        ({"description": "x" * 801}, "description: 801 characters"),
        ({"tags": []}, "tags: 0 entries"),
        ({"tags": ["x" * 41]}, "write 1 to 40 visible characters"),
        ({"images": []}, "0 reference images"),
        ({"images": swatches(10)}, "10 reference images"),
        ({"images": [Image.new("L", (64, 64))]}, "reference image 1 is L, 64x64"),
        ({"images": [Image.new("RGB", (64, 8))]}, "reference image 1 is RGB, 64x8"),
    ],
)
def test_a_bad_value_is_refused_before_anything_is_written(
    catalog: Catalog, user_library: Path, changes: Mapping[str, Any], says: str
) -> None:
    with pytest.raises(InvalidRequest) as raised:
        catalog.add("mine", **fields(**changes))
    assert raised.value.code == "invalid_style"
    assert says in raised.value.message
    assert not user_library.exists()


def test_a_missing_style_suggests_the_nearest_one(catalog: Catalog) -> None:
    with pytest.raises(NotFound, match="did you mean 'art-deco'") as raised:
        catalog.get("artdeco")
    assert isinstance(raised.value, AppError)
    assert raised.value.status == 404


def test_references_and_guide_are_read_from_the_folder(tmp_path: Path) -> None:
    folder = write_style(tmp_path)
    style = load_style(folder)
    assert style.guide == ""
    (folder / "guide.md").write_text("# Chalk é", encoding="utf-8")
    assert style.guide == "# Chalk é"

    for name in ("reference-3.JPG", "reference-2.webp", "reference-4.svg", "notes.png"):
        (folder / name).write_bytes(b"not an image")
    names = [path.name for path in style.references]
    assert names == ["reference-1.png", "reference-2.webp", "reference-3.JPG"]
    with pytest.raises(CatalogError, match=r"reference-2\.webp: cannot be read"):
        check_references(style)

    for path in style.references:
        path.unlink()
    with pytest.raises(CatalogError, match="no reference image; put in reference-1"):
        _ = style.references


def test_a_palette_is_derived_in_the_order_of_its_roles() -> None:
    image = Image.new("RGB", (64, 64), (200, 40, 40))  # backdrop: the largest area
    for colour, box in {
        (40, 160, 60): (0, 0, 64, 14),  # ground
        (50, 70, 190): (0, 14, 64, 24),  # main
        (150, 120, 60): (0, 24, 64, 32),  # second
        (250, 248, 240): (0, 60, 64, 64),  # light
        (10, 10, 12): (0, 56, 64, 60),  # ink
    }.items():
        image.paste(colour, box)
    expected = [(200, 40, 40), (40, 160, 60), (50, 70, 190), (150, 120, 60)]
    expected += [(250, 248, 240), (10, 10, 12)]
    found = [tuple(bytes.fromhex(colour[1:])) for colour in derive_palette([image])]
    for got, want in zip(found, expected, strict=True):
        assert math.dist(got, want) < 4, (got, want)


def test_a_plain_image_still_gives_six_colours(catalog: Catalog) -> None:
    style = catalog.add("plain", **fields(palette=None, images=[Image.new("RGB", (20, 20), "red")]))
    assert style.palette == ("#ff0000",) * 6
