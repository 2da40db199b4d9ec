"""Our Kinesis Video Streams: control plane, PutMedia, GetMedia, the archive, HLS, and all their faults on demand."""
