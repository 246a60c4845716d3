"""Names of files and folders in the folder of a run."""

CONFIG = "config.yaml"  # resolved configuration
RUN = "run.json"  # commit, versions, data digests and device, which are not in the configuration
STATUS = "status.json"  # state of the run, and how it ended
LOCK = ".running"  # lock file of the process that writes to the folder
CHECKPOINTS = "checkpoints"  # best checkpoint of each phase, and the last one
LAST = "last.ckpt"
HISTORY = "metrics.csv"  # logged losses and validation scores
SAMPLES = "samples.png"  # contact sheet of validation images, drawn during training
SCORES = "scores.json"  # scores of a split; `evaluation/scores_file.py` has the fields
SCORES_CSV = "scores.csv"  # one row per image
CONTACT_SHEET = "contact_sheet.png"  # best, median and worst images of a split, or the same images of several methods
EXAMPLES = "examples"  # full images, the same few for every method
DIFFERENCES = "differences.csv"  # paired differences of a report
LOG = "log.txt"  # output of a run that another command started
