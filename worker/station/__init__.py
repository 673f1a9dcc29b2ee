"""The parts of one machine, started and kept running together."""
