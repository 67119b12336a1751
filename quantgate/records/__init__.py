"""What crosses borders: provenance, measurements, verdicts. Frozen, typed, and JSON as the contract has it."""

from quantgate.records.apart import TOPK, read_measurement, topk_of, write_apart
from quantgate.records.base import AS_DECLARED, NOT_KNOWN, NOT_RECORDED, PLAIN, Approval, Oldest, Provenance, Spread, Started
from quantgate.records.files import (
    HARNESS,
    VERDICT,
    decode,
    encode,
    harness_folder_of,
    unfinished_of,
    write_record,
    write_whole,
)
from quantgate.records.measurements import Answer, Answers, Divergence, DocumentLoss, DocumentTopK, Measurement, StoppedEarly, TextLoss
from quantgate.records.outcomes import INSPECTION, OUTCOMES, Outcome, read_outcomes, write_inspection, write_outcomes
from quantgate.records.shard import SHARD, Shard, read_shard, write_shard
from quantgate.records.speed import ClientUse, CounterCheck, DeviceHealth, Limit, Round, Throughput
from quantgate.records.verdict import Discordant, GroupLoss, MeanLoss, Noise, Unanswered, Verdict

__all__ = [
    "AS_DECLARED",
    "HARNESS",
    "INSPECTION",
    "NOT_KNOWN",
    "NOT_RECORDED",
    "OUTCOMES",
    "PLAIN",
    "SHARD",
    "TOPK",
    "VERDICT",
    "Answer",
    "Answers",
    "Approval",
    "ClientUse",
    "CounterCheck",
    "DeviceHealth",
    "Discordant",
    "Divergence",
    "DocumentLoss",
    "DocumentTopK",
    "GroupLoss",
    "Limit",
    "MeanLoss",
    "Measurement",
    "Noise",
    "Oldest",
    "Outcome",
    "Provenance",
    "Round",
    "Shard",
    "Spread",
    "Started",
    "StoppedEarly",
    "TextLoss",
    "Throughput",
    "Unanswered",
    "Verdict",
    "decode",
    "encode",
    "harness_folder_of",
    "read_measurement",
    "read_outcomes",
    "read_shard",
    "topk_of",
    "unfinished_of",
    "write_apart",
    "write_inspection",
    "write_outcomes",
    "write_record",
    "write_shard",
    "write_whole",
]
