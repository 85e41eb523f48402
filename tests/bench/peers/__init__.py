"""The servers that ours is compared against. Each prints its port and runs until it is killed; none stores anything."""
