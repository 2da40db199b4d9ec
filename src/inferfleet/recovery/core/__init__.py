"""The decisions of GPU recovery as pure functions: standard library only, no clock, no network, nothing hidden."""
