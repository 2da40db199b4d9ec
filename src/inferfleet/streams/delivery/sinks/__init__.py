"""Where events end up: one module a kind of sink, all behind the protocol in `base`."""
