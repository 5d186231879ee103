"""What a file is, its bytes say; what it is called is never more than a name."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from outlay.ledger.errors import Refused
from outlay.uploads import LARGEST, plain_name, portrait, sniffed
from tests.pictures import bomb, claiming, picture


def rule(check, content: bytes) -> str:
    with pytest.raises(Refused) as refused:
        check(content)
    [problem] = refused.value.problems
    assert problem.field == "file"
    return problem.rule


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (picture("JPEG"), "image/jpeg"),
        (picture("PNG"), "image/png"),
        (picture("WEBP"), "image/webp"),
        (picture("GIF"), "image/gif"),
        (b"%PDF-1.7\n...", "application/pdf"),
        (b"\xef\xbb\xbf\n%PDF-1.4", "application/pdf"),
    ],
)
def test_the_bytes_say_what_it_is(content, media_type):
    assert sniffed(content) == media_type


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html><script>alert(1)</script>",
        b"<html>%PDF-1.7",
        b"MZ\x90%PDF-1.7",
        b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        b"PK\x03\x04" + bytes(100),  # a zip, and all that is one
        picture("BMP"),
        picture("TIFF"),
        b"RIFF\0\0\0\0WAVE",
        picture("PNG")[:7],
        bytes(2_000) + b"%PDF-1.7",
    ],
)
def test_what_is_nothing_that_is_taken_is_refused(content):
    assert rule(sniffed, content) == "media_type"


def test_a_file_is_as_large_as_it_may_be_and_no_larger():
    assert sniffed(b"%PDF-1.7".ljust(LARGEST)) == "application/pdf"
    assert rule(sniffed, b"%PDF-1.7".ljust(LARGEST + 1)) == "small"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("receipt.jpg", "receipt.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\Ada\\bill.pdf", "bill.pdf"),
        ("a\r\nSet-Cookie: x=1.png", "a Set-Cookie: x=1.png"),
        ("nul\0byte.png", "nul byte.png"),
        ("\u202egnp.exe", "gnp.exe"),
        ("Büro Quittung.pdf", "Büro Quittung.pdf"),
        ("..", None),
        ("/", None),
        ("", None),
        (None, None),
        ("x" * 500 + ".png", "x" * 196 + ".png"),
        ("x" * 500 + "." + "y" * 500, "x" * 190 + "." + "y" * 9),
    ],
)
def test_a_name_is_the_last_part_of_a_path_without_what_nobody_sees(given, kept):
    assert plain_name(given) == kept


def test_a_portrait_is_the_middle_of_a_picture_small_and_of_no_camera():
    photo = Image.new("RGB", (900, 300), "white")
    photo.paste("red", (400, 100, 500, 200))
    photo.paste("blue", (0, 0, 300, 300))
    exif = Image.Exif()
    exif[0x010F], exif[0x8825] = "A camera", {1: "N"}  # its maker, and where it was
    out = BytesIO()
    photo.save(out, "JPEG", exif=exif)
    with Image.open(BytesIO(portrait(out.getvalue()))) as small:
        assert (small.format, small.size, dict(small.getexif())) == ("WEBP", (256, 256), {})
        assert near(small, (128, 128), (255, 0, 0))
        assert near(small, (10, 128), (255, 255, 255)), "the sides are cut off"


def test_a_portrait_stands_upright():
    lying = Image.new("RGB", (300, 300), "white")
    lying.paste("red", (0, 0, 300, 150))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter to the right
    out = BytesIO()
    lying.save(out, "JPEG", exif=exif)
    with Image.open(BytesIO(portrait(out.getvalue()))) as small:
        assert near(small, (200, 128), (255, 0, 0))
        assert near(small, (56, 128), (255, 255, 255))


def near(image: Image.Image, place: tuple[int, int], colour: tuple[int, int, int]) -> bool:
    return all(abs(a - b) < 40 for a, b in zip(image.convert("RGB").getpixel(place), colour, strict=True))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_what_is_cut_off_in_the_middle_is_no_portrait(kind):
    whole = Image.effect_noise((300, 300), 50).convert("RGB")
    out = BytesIO()
    whole.save(out, kind)
    assert portrait(out.getvalue())
    assert rule(portrait, out.getvalue()[: out.tell() // 2]) == "readable"


def test_a_portrait_of_two_pictures_in_one_file_is_of_the_first():
    """As telephones write them: JPEG with another one behind."""
    out = BytesIO()
    first, second = (Image.new("RGB", (300, 300), colour) for colour in ("red", "blue"))
    first.save(out, "MPO", save_all=True, append_images=[second])
    assert sniffed(out.getvalue()) == "image/jpeg"
    with Image.open(BytesIO(portrait(out.getvalue()))) as small:
        assert near(small, (128, 128), (255, 0, 0))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "media_type"),
        (b"%PDF-1.7", "media_type"),
        (claiming(8_000, 8_000), "readable"),
        (claiming(2**31 - 1, 2**31 - 1), "readable"),
        (bomb(7_000), "readable"),
    ],
    ids=["empty", "PDF", "64 million pixels", "as many as there can be", "7 GB of colour profiles"],
)
def test_what_no_portrait_can_be_made_of_is_refused(content, why):
    assert rule(portrait, content) == why
