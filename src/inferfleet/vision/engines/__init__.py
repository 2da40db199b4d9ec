"""What computes: OpenVINO and ONNX Runtime behind one small interface."""
