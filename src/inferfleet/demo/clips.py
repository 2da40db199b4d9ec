"""The four clips of the demo: scenes worth watching, rendered, encoded and written with their truth beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np

from inferfleet.demo.camera import Camera
from inferfleet.demo.casting import Cast, cast_actors
from inferfleet.demo.layout import Layout
from inferfleet.demo.light import LightName, WeatherName
from inferfleet.demo.scene import Scene, render
from inferfleet.demo.truth import TruthObject


@dataclass(frozen=True)
class Clip:
    """One camera of the demo.

    Attributes:
        name: The camera's name, and the file's without its ending.
        title: What is to be seen, for people.
        seed: Decides everything left to chance.
        camera: Where the camera stands and looks.
        layout: The ground plan.
        cast: How busy it is.
        light: Time of day.
        weather: What the air does.
        seconds: How long it lasts.
        fps: Frames per second.
        codec: FFmpeg's name of the encoder.
        options: Options of the encoder.
    """

    name: str
    title: str
    seed: int
    camera: Camera
    layout: Layout
    cast: Cast
    light: LightName = "day"
    weather: WeatherName = "clear"
    seconds: float = 14.0
    fps: int = 12
    codec: str = "libx264"
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        """How many frames it has."""
        return round(self.seconds * self.fps)

    def scene(self) -> Scene:
        """The scene it shows."""
        actors = cast_actors(self.layout, self.camera, self.cast, self.seconds, np.random.default_rng((self.seed, 0)))
        return Scene(self.seed, self.camera, self.layout, self.light, self.weather, actors)


X264 = {"preset": "veryfast", "crf": "23"}

CLIPS: tuple[Clip, ...] = (
    Clip(
        name="crossing",
        title="zebra crossing by day",
        seed=8,
        camera=Camera(mount=11.0, tilt=33.0, focal=0.95),
        layout=Layout("street", angle=-14.0, offset=17.0, crossing=2.0),
        cast=Cast({"car": 0.55, "truck": 0.2, "bus": 0.25}, gap=12.0, riders=24.0, walkers=45.0, crossers=3, speed=8.0),
        options=X264 | {"bf": "0", "g": "24"},
    ),
    Clip(
        name="avenue",
        title="avenue at dusk, in the rain",
        seed=7,
        camera=Camera(mount=11.5, tilt=33.0, focal=0.95),
        layout=Layout("street", angle=20.0, offset=17.5),
        cast=Cast({"car": 0.45, "truck": 0.25, "bus": 0.3}, gap=14.0, riders=26.0, walkers=50.0, speed=8.0),
        light="dusk",
        weather="rain",
        options=X264 | {"bf": "3", "b-adapt": "2", "g": "36"},
    ),
    Clip(
        name="depot",
        title="depot road at night",
        seed=5,
        camera=Camera(mount=11.0, tilt=33.0, focal=0.95),
        layout=Layout("street", angle=8.0, offset=17.0),
        cast=Cast({"car": 0.4, "truck": 0.4, "bus": 0.2}, gap=14.0, riders=30.0, walkers=55.0, speed=8.0),
        light="night",
        codec="libx265",
        options={"preset": "ultrafast", "crf": "24", "x265-params": "log-level=error:keyint=24:open-gop=0"},
    ),
    Clip(
        name="carpark",
        title="car park with plates to read",
        seed=13,
        camera=Camera(mount=5.2, tilt=24.0, focal=1.15),
        layout=Layout("carpark", angle=86.0, offset=0.3, half=3.4),
        cast=Cast(
            {"car": 0.85, "truck": 0.15}, gap=9.0, riders=float("inf"), walkers=float("inf"), parked=0.3, speed=2.6
        ),
        light="overcast",
        options=X264 | {"bf": "0", "g": "24"},
    ),
)


@dataclass(frozen=True)
class WrittenClip:
    """A clip on disk.

    Attributes:
        clip: What it shows.
        video: The container file.
        truth: The JSON file with what is in it; see `read_truth`.
    """

    clip: Clip
    video: Path
    truth: Path


def write_clip(clip: Clip, folder: Path, *, progress: Callable[[], None] | None = None) -> WrittenClip:
    """Renders and encodes a clip.

    Args:
        clip: What to render.
        folder: Where to put `<name>.mp4` and `<name>.truth.json`; it is made if need be.
        progress: Called after each frame.

    Returns:
        Where they are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = WrittenClip(clip, folder / f"{clip.name}.mp4", folder / f"{clip.name}.truth.json")
    scene, truth = clip.scene(), []
    with av.open(str(written.video), "w") as container:
        stream = cast(av.VideoStream, container.add_stream(clip.codec, rate=clip.fps, options=dict(clip.options)))
        stream.width, stream.height, stream.pix_fmt = clip.camera.width, clip.camera.height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, clip.fps)
        if clip.codec == "libx265":
            stream.codec_context.codec_tag = "hvc1"
        for number in range(clip.frames):
            picture, objects = render(scene, number / clip.fps)
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, clip.fps)
            container.mux(stream.encode(frame))
            truth.append(objects)
            if progress is not None:
                progress()
        container.mux(stream.encode(None))
    _write_truth(written.truth, clip, truth)
    return written


def read_truth(path: Path) -> list[list[TruthObject]]:
    """The objects of each frame of a clip, as `write_clip` stored them."""
    stored = json.loads(path.read_text())
    return [
        [
            TruthObject(
                track=item["track"],
                label=item["label"],
                box=tuple(item["box"]),
                visible=item["visible"],
                exposed=item["exposed"],
                plate=item["plate"],
                plate_box=tuple(item["plate_box"]) if item["plate_box"] else None,
            )
            for item in frame["objects"]
        ]
        for frame in stored["frames"]
    ]


def _write_truth(path: Path, clip: Clip, truth: list[list[TruthObject]]) -> None:
    frames = []
    for number, objects in enumerate(truth):
        rounded = [asdict(item) for item in objects]
        for item in rounded:
            item["box"] = [round(side, 2) for side in item["box"]]
            item["visible"], item["exposed"] = round(item["visible"], 3), round(item["exposed"], 3)
            item["plate_box"] = [round(side, 2) for side in item["plate_box"]] if item["plate_box"] else None
        frames.append({"frame": number, "time": round(number / clip.fps, 6), "objects": rounded})
    size = {"width": clip.camera.width, "height": clip.camera.height, "fps": clip.fps}
    path.write_text(json.dumps({"camera": clip.name, **size, "frames": frames}) + "\n")
