"""The cloud on one machine: the emulated AWS, and Kinesis Video Streams, which no emulator has, beside it."""
