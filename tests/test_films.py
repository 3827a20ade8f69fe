"""A film is a small video with one frame per picture; its player starts only when asked."""

import base64
import re
from io import BytesIO

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from examples import refuses
from helpers import films
from helpers.films import encode

HEIGHT, WIDTH = 60, 80


def picture(start):
    """A white picture with a dark bar."""
    drawn = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    drawn[:, start:start + 20] = (118, 42, 131)
    return drawn


PICTURES = [picture(start) for start in (0, 20, 40)]


def frames(film, path):
    """The pictures of a film's video, decoded."""
    path.write_bytes(film.video)
    reader = imageio_ffmpeg.read_frames(path)
    assert next(reader)["size"] == (film.width, film.height)
    return [np.frombuffer(frame, np.uint8).reshape(film.height, film.width, 3) for frame in reader]


def distance(a, b):
    return np.abs(a.astype(int) - b).mean()


def test_a_film_shows_every_picture_and_then_holds_the_last_which_is_the_poster(tmp_path):
    film = encode(PICTURES, "bars")
    shown = frames(film, tmp_path / "film.mp4")
    count, seconds = imageio_ffmpeg.count_frames_and_secs(tmp_path / "film.mp4")
    assert len(shown) == count == 3 + films.HOLD
    assert seconds == pytest.approx(count * films.INTERVAL / 1000, rel=0.02)
    poster = np.asarray(Image.open(BytesIO(film.poster)).convert("RGB"))
    for drawn, expected in zip(shown, PICTURES + films.HOLD * [poster], strict=True):
        assert distance(drawn, expected) < 8 < distance(PICTURES[0], PICTURES[1]) / 4
    assert distance(poster, PICTURES[-1]) < 1


def test_the_player_has_controls_a_poster_and_a_label_and_plays_only_when_asked():
    film = encode(PICTURES, "a < b")
    head, source = re.fullmatch(r"<video ([^>]*)>(<source [^>]*>)</video>",
                                film._repr_html_()).groups()
    assert {"controls", "loop", "muted", "playsinline"} <= set(head.split())
    assert "autoplay" not in head and 'preload="metadata"' in head
    assert 'width="80" height="60"' in head and 'aria-label="a &lt; b"' in head
    for kind, data, where in (("image/png", film.poster, head), ("video/mp4", film.video, source)):
        assert f'"data:{kind};base64,{base64.b64encode(data).decode()}"' in where
    assert repr(film) == "Film(label='a < b', width=80, height=60)"


@refuses(
    (lambda: encode([], "none"), ValueError, r"^pictures have shapes \[\]; expected one"),
    (lambda: encode([PICTURES[0], PICTURES[0][:40]], "two"), ValueError, r"\(40, 80, 3\), \(60, "),
    (lambda: encode([PICTURES[0][:59]], "odd"), ValueError, r"\[\(59, 80, 3\)\]; .* even height"),
    (lambda: encode([PICTURES[0][:, :79]], "odd"), ValueError, r"\[\(60, 79, 3\)\]; expected one"),
)
def test_nonsense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
