"""What is to be removed, and what was: proto <-> model."""

from controller.model.removal import Removed, Retention
from controller.wire.codec import message_codec
from jetfleet.v1 import control_pb2

RETENTION = message_codec(Retention, control_pb2.CollectGarbageRequest)
REMOVED = message_codec(Removed, control_pb2.CollectGarbageResponse)
