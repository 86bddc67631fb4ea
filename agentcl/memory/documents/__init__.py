"""Documents: cut into passages, written, and kept up with a folder of files."""
