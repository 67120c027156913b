"""Baselines, proto <-> model."""

from controller.model.baseline import Baseline
from controller.wire.codec import message_codec
from jetfleet.v1 import control_pb2

BASELINE = message_codec(Baseline, control_pb2.Baseline)
