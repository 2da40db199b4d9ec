"""Cameras become events: sources, mailboxes, the batcher, analysis, events, and their delivery."""
