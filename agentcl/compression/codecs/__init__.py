"""Codecs that come with the package, and those that `training.compressor` wrote."""
