"""Kinesis Video Streams: the bytes (EBML, Matroska, fragments) and the clients that carry them."""
