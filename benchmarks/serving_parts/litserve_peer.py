"""LitServe over the same model, with pictures as base64: `litserve_peer.py PORT batch|workers|noop`."""

from __future__ import annotations

import base64
import sys

import litserve


class Classifier(litserve.LitAPI):
    """One worker; decodes in its batches of eight, on all cores."""

    sizes = (1, 2, 4, 8)
    threads = 0

    def setup(self, device: str) -> None:
        from ovmodel import Model

        self.model = Model(self.sizes, threads=self.threads)

    def decode_request(self, request):
        from ovmodel import prepare

        return prepare(base64.b64decode(request["image"]))

    def batch(self, inputs):
        return inputs

    def unbatch(self, output):
        return output

    def predict(self, pictures):
        return self.model.run(pictures)

    def encode_response(self, output):
        return {"predictions": [{"class_id": number, "confidence": share} for number, share in output]}


class OneEach(Classifier):
    """A worker a core, a picture at a time."""

    sizes = (1,)
    threads = 1

    def predict(self, picture):
        return self.model.run([picture])[0]


class Nothing(litserve.LitAPI):
    """Answers at once."""

    def setup(self, device: str) -> None: ...

    def decode_request(self, request):
        return request

    def predict(self, request):
        return request

    def encode_response(self, output):
        return {"predictions": []}


if __name__ == "__main__":
    port, kind = int(sys.argv[1]), sys.argv[2]
    if kind == "batch":
        server = litserve.LitServer(Classifier(max_batch_size=8, batch_timeout=0.005), accelerator="cpu", timeout=60)
    elif kind == "workers":
        server = litserve.LitServer(OneEach(), accelerator="cpu", workers_per_device=2, timeout=60)
    else:
        server = litserve.LitServer(Nothing(), accelerator="cpu", timeout=60)
    server.run(port=port, log_level="warning", generate_client_file=False)
