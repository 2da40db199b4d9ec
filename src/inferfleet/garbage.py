"""Python's collector of cyclic garbage, kept from looking at what stays."""

from __future__ import annotations

import gc


def settle() -> None:
    """Collects what is garbage now, and takes the rest out of the collector's sight until the next call.

    Models, libraries and configuration are some hundred thousand objects; each full collection would go through all of
    them and stop every thread for tens of milliseconds. Call it when they are loaded, and again when some are replaced.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
