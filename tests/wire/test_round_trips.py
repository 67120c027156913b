"""Every model type that crosses the wire, there and back."""

import dataclasses
import importlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.model.lease import Lease, Outcome, Registered, Registration
from controller.wire.codec import MessageCodec
from tests.house.source import modules
from tests.model.strategies import values_of

CODECS = {
    name: item
    for path in modules("controller/wire")
    if path.stem != "__init__"
    for name, item in vars(importlib.import_module(f"controller.wire.{path.stem}")).items()
    if isinstance(item, MessageCodec)
}
# What the model holds and the message does not, as the service passes it on.
GIVEN = {Outcome: ("raw", "unusable"), Lease: ("token",), Registered: ("open",), Registration: ("enrolled",)}


def test_every_codec_is_looked_at():
    assert {"ARTIFACT", "JOB_SPEC", "TASK", "OUTCOME", "ROW", "ENGINE_VIEW", "JOB_VIEW", "REGISTRATION"} <= set(CODECS)
    assert len({codec.model for codec in CODECS.values()}) == len(CODECS)


@pytest.mark.parametrize("name", sorted(CODECS))
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_there_and_back(name, data):
    codec = CODECS[name]
    value = data.draw(values_of(codec.model))
    model_only = {field: getattr(value, field) for field in GIVEN.get(codec.model, ())}
    message = codec.encode(value)
    came = codec.message.FromString(message.SerializeToString())
    assert came == message
    back = codec.decode(came, **model_only)
    assert back == value
    assert codec.encode(back) == message
    assert all(type(getattr(back, item.name)) is type(getattr(value, item.name)) for item in dataclasses.fields(value))
