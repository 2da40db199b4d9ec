"""What compose.yaml's camera and worker need before they start: a video stream, a data stream, a bucket, and a clip.

Run: `python site.py CLIP.mp4`, with the variables that point the AWS SDK at the local cloud. Running it again is fine.
"""

from __future__ import annotations

import shutil
import sys
from contextlib import suppress
from pathlib import Path

import boto3

from inferfleet.demo.clips import CLIPS, write_clip


def prepare() -> None:
    """Makes the streams and the bucket that are not there yet; the worker makes its table itself."""
    video, kinesis, s3 = (boto3.client(name) for name in ("kinesisvideo", "kinesis", "s3"))
    with suppress(video.exceptions.ResourceInUseException):
        video.create_stream(StreamName="camera-1", DataRetentionInHours=1, MediaType="video/h264")
    with suppress(kinesis.exceptions.ResourceInUseException):
        kinesis.create_stream(StreamName="detection-events", ShardCount=1)
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket="snapshots")


def draw(clip: Path) -> None:
    """Draws the first clip of the demo, unless it is there."""
    if not clip.exists():
        drawn = write_clip(CLIPS[0], clip.parent).video
        shutil.move(drawn, clip)


if __name__ == "__main__":
    prepare()
    draw(Path(sys.argv[1]))
