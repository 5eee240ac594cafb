"""Networks as files that run without the toolbox."""
