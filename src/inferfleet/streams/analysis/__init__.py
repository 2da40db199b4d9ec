"""What one camera's detections mean: tracks, confirmation, zones, lines, text, and the events they make."""

from inferfleet.streams.analysis.analysis import CameraAnalysis
from inferfleet.streams.analysis.objects import least_confidence
from inferfleet.streams.analysis.outcome import ModelInfo, Outcome, TrackView

__all__ = ["CameraAnalysis", "ModelInfo", "Outcome", "TrackView", "least_confidence"]
