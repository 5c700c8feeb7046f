"""Floor 4: measurements, results and models in files."""

from napari_selfsup_recon.core.lazy import attach

__getattr__, __dir__ = attach(
    __name__,
    {
        "read": ".volumes",
        "write": ".volumes",
        "read_provenance": ".volumes",
        "check_writable": ".volumes",
        "save_model": ".models",
        "load": ".models",
        "export_model": ".zoo",
        "REAL_NAMES": ".examples",
        "real": ".examples",
    },
)
