"""What every long-running part of a station shares: startup, periodic tasks, waiting, how parts end."""
