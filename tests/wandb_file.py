"""Reads back what W&B wrote while offline: `run-ID.wandb` is a log of protocol buffers in LevelDB's format of logs."""

import json
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path

MAGIC = b":W&B"
FILE_HEADER = 7  # bytes: magic, a number, the format's version
BLOCK = 32768  # bytes; a piece never crosses a block's end
WHOLE, LAST = 1, 4  # kinds of pieces that end a record


def read_records(path):
    """Every record of the file, in order."""
    from wandb.proto import wandb_internal_pb2  # slow to import for those that only collect

    data = path.read_bytes()
    assert data.startswith(MAGIC), path
    place, record = FILE_HEADER, b""
    while place + 7 <= len(data):
        left = BLOCK - place % BLOCK
        if left < 7:
            place += left
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + 7])
        record += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (WHOLE, LAST):
            found = wandb_internal_pb2.Record()
            found.ParseFromString(record)
            record = b""
            yield found


@dataclass
class OfflineRun:
    """What one offline run holds.

    Attributes:
        folder: of the run, with `files/` in it.
        run: the record of its start: run_id, run_group, display_name, job_type, host.
        kinds: of all records.
        config: as sent, without W&B's own.
        history: rows, in order.
        axes: what each pattern of names is drawn over.
        artifacts: records, by name.
        files: paths in `files/` that are to be sent.
        exit_code: None while it has not ended.
        text: all records, as text.
    """

    folder: Path
    run: object = None
    kinds: set = field(default_factory=set)
    config: dict = field(default_factory=dict)
    history: list = field(default_factory=list)
    axes: dict = field(default_factory=dict)
    artifacts: dict = field(default_factory=dict)
    files: set = field(default_factory=set)
    exit_code: int | None = None
    text: str = ""

    def table(self, key):
        """The content of the table last logged as `key`."""
        (row,) = [row for row in self.history if key in row]
        return json.loads((self.folder / "files" / row[key]["path"]).read_text())


def read_offline(folder, seconds=300):
    """The offline run in a folder `offline-run-TIME-ID`, waiting for W&B's own process to end the file."""
    (path,) = folder.glob("run-*.wandb")
    found = read_file(path)
    until = time.monotonic() + seconds
    while found.exit_code is None and time.monotonic() < until:
        time.sleep(0.05)
        found = read_file(path)
    return found


def read_file(path):
    """What a `run-ID.wandb` holds so far."""
    found = OfflineRun(path.parent)
    for record in read_records(path):
        kind = record.WhichOneof("record_type")
        found.kinds.add(kind)
        found.text += str(record)
        if kind == "run":
            found.run = record.run
        elif kind == "config":
            put(found.config, record.config.update)
        elif kind == "history":
            found.history.append(put({}, record.history.item))
        elif kind == "metric":
            found.axes[record.metric.name or record.metric.glob_name] = record.metric.step_metric
        elif kind == "artifact":
            found.artifacts[record.artifact.name] = record.artifact
        elif kind == "files":
            found.files |= {file.path for file in record.files.files}
        elif kind == "exit":
            found.exit_code = record.exit.exit_code
    found.config.pop("_wandb", None)
    return found


def put(content, items):
    """Adds items, whose keys may be nested, to a dictionary."""
    for item in items:
        *parents, key = list(item.nested_key) or [item.key]
        place = content
        for parent in parents:
            place = place.setdefault(parent, {})
        place[key] = json.loads(item.value_json)
    return content


def offline_runs(run_dir):
    """The offline runs in a run's folder, in the order in which they were begun."""
    return [read_offline(folder) for folder in sorted((run_dir / "wandb").glob("offline-run-*"))]
