"""`python -m pose_inpaint.index data=... output=FILE`: index a collection of images for scene completion."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pose_inpaint.config.command import run_command
from pose_inpaint.config.schema import IndexSettings
from pose_inpaint.config.settings import read_settings
from pose_inpaint.errors import InputError

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main() -> None:
    """Run the command."""
    run_command("index", run)


def run(config: DictConfig) -> None:
    """Build the configured index.

    Raises:
        InputError: Invalid setting or unusable image; nothing is written.
    """
    from tqdm import tqdm

    from pose_inpaint.build import build_data
    from pose_inpaint.models.classical.scene_completion.gist import SceneFilters
    from pose_inpaint.models.classical.scene_completion.index import build_index, is_index
    from pose_inpaint.tracking.lock import locked

    settings = read_settings(config, IndexSettings)
    output = Path(settings.output)
    if output.is_dir():
        raise InputError(f"output={output}: is a folder; give a file name")
    if os.path.lexists(output) and not is_index(output):
        raise InputError(f"output={output}: exists, and is not a scene index; give another file, or remove it")
    records = build_data(settings.data, settings.mask, settings.seed).images(settings.split).records
    blind = [record.name for record in records if record.original is None]
    if blind:
        raise InputError(f"split={settings.split}: {blind[0]} has no original to copy from; choose another split")
    filters = SceneFilters(settings.orientations, settings.scales)
    with (
        locked(output.parent, "output", name=f".{output.name}.running"),
        tqdm(desc=f"Indexing {settings.split}", unit="image", leave=False, disable=None, total=len(records)) as bar,
    ):
        index = build_index(((record.name, record.path) for record in records), filters, bar.update)
        try:
            index.save(output)
        except OSError as error:
            raise InputError(f"output={output}: can't be written ({error.strerror}); give another file") from error
    low, high = index.sizes.amin(0).tolist(), index.sizes.amax(0).tolist()
    print(f"{len(index.names)} images of {low[0]}x{low[1]} to {high[0]}x{high[1]} pixels indexed: {output}")
    print(f"Use it: model=scene_completion model.index={output}")


if __name__ == "__main__":
    main()
