"""From a folder of pictures and their annotations to a data set and the config that trains on it."""
