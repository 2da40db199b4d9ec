"""Real media for tests: clips whose pictures hold their own number, and servers that send them, well or badly."""
