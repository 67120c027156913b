"""Tokens and entries of the audit log, proto <-> model."""

from controller.model.access import TokenView
from controller.model.audit import AuditEntry
from controller.wire.codec import message_codec
from jetfleet.v1 import access_pb2

TOKEN = message_codec(TokenView, access_pb2.Token)
AUDIT_ENTRY = message_codec(AuditEntry, access_pb2.AuditEntry)
