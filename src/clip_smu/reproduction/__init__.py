"""One command from photos and labels to tables and figures: the paper's experiment, for the encoders one has.

    RUN/
    ├── run.json          manifest: plan, stages with keys and seconds, versions, hashes; "finished" comes last
    ├── results.csv       encoder x method: mean AUC with interval
    ├── per_attribute.csv encoder x method x attribute x metric
    ├── results.md        both as text, and how the methods differ
    ├── figures/
    ├── comparisons/      A-vs-B.json, between encoders, and between the methods of one encoder
    └── ENCODER/          templates/ interpreters/METHOD/ probes/METHOD/ evaluation/ confounds/ erasure/

A stage is known by the hash of everything that decides its result: its settings, the content of its input files, and
the keys of the stages before it. One that is finished under the same key is not run again; one that was cut off is
taken up by the job itself where it was.
"""

from clip_smu.reproduction.plan import PLANS, Method, Plan, PlannedEncoder, read_plan
from clip_smu.reproduction.run import Run, reproduce

__all__ = ["PLANS", "Method", "Plan", "PlannedEncoder", "Run", "read_plan", "reproduce"]
