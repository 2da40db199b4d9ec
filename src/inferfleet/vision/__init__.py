"""A model file becomes detections, classes or text. Its engines' telemetry is off: nothing is told to anybody."""

import os
import sys

# Both libraries begin with their first import; ONNX Runtime's is also that of the OCR.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # as if it were not installed
