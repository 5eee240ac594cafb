"""How fast a config's network is, where its time and memory go, and how that compares with another implementation."""
