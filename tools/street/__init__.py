"""The parts of the training tools: network, assignment, losses, augmentation, metrics and export."""
