"""Films inside a notebook: pictures encoded as a small MP4 video with a poster."""

from base64 import b64encode
from dataclasses import dataclass, field
from html import escape
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from imageio_ffmpeg import write_frames
from PIL import Image

INTERVAL = 120  # milliseconds a frame
HOLD = 10  # frames for which the end stands still before the film starts again
ENCODING = ["-crf", "33", "-preset", "slow", "-threads", "1", "-movflags", "+faststart"]


@dataclass(frozen=True)
class Film:
    """An MP4 video and its last frame as a PNG; notebooks show a player.

    label: what is shown, for those who do not see it; width, height: in pixels.
    """

    label: str
    width: int
    height: int
    video: bytes = field(repr=False)
    poster: bytes = field(repr=False)

    def _repr_html_(self) -> str:
        poster, video = (b64encode(data).decode() for data in (self.poster, self.video))
        return (f'<video controls loop muted playsinline preload="metadata" width="{self.width}" '
                f'height="{self.height}" style="max-width: 100%; height: auto" '
                f'aria-label="{escape(self.label)}" poster="data:image/png;base64,{poster}">'
                f'<source src="data:video/mp4;base64,{video}" type="video/mp4"></video>')


def encode(pictures: list[np.ndarray], label: str) -> Film:
    """Return a film of pictures (height, width, 3) of bytes: a frame each, then the last held.

    label: as in `Film`. Raises ValueError unless all have one shape of even sides.
    """
    shapes = sorted({picture.shape for picture in pictures})
    if len(shapes) != 1 or shapes[0][2:] != (3,) or shapes[0][0] % 2 or shapes[0][1] % 2:
        raise ValueError(f"pictures have shapes {shapes}; expected one, (height, width, 3), of "
                         "even height and width")
    (height, width, _), last = shapes[0], pictures[-1]
    return Film(label, width, height, _mp4(pictures + HOLD * [last]), _png(last))


def _mp4(pictures: list[np.ndarray]) -> bytes:
    """Return a video of the pictures, encoded by the packaged ffmpeg."""
    height, width = pictures[0].shape[:2]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        writer = write_frames(path, (width, height), fps=1000 / INTERVAL, macro_block_size=2,
                              output_params=ENCODING)
        writer.send(None)
        for picture in pictures:
            writer.send(picture)
        writer.close()
        return path.read_bytes()


def _png(picture: np.ndarray) -> bytes:
    """Return a picture as a small PNG: 128 colours, the rare ones of the titles among them."""
    file = BytesIO()
    few = Image.fromarray(picture).quantize(128, Image.Quantize.MAXCOVERAGE, kmeans=3)
    few.save(file, "PNG", optimize=True)
    return file.getvalue()
