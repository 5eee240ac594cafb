"""Pictures and their annotations in the forms in which people have them, read as class indices."""
