"""The emulator and its proxy, as the sinks' tests have them."""

from tests.localcloud.delivery.conftest import ministack, proxy

__all__ = ["ministack", "proxy"]
