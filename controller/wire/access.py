"""Tokens, proto <-> model."""

from controller.model.access import TokenView
from controller.wire.codec import message_codec
from jetfleet.v1 import access_pb2

TOKEN = message_codec(TokenView, access_pb2.Token)
