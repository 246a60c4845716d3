"""Location of the package's cache."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Folder for files that can be recomputed: `$POSE_INPAINT_CACHE`, or `pose_inpaint` in the user's cache folder."""
    if "POSE_INPAINT_CACHE" in os.environ:
        return Path(os.environ["POSE_INPAINT_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pose_inpaint"
