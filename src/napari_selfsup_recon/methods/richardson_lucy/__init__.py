"""Lucy-Richardson deconvolution."""
