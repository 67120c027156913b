"""Whatever message comes, of this version or another: a value of the model, or bad input; never a stack trace."""

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.model.lease import Lease, Outcome
from jetfleet.errors import BadInput
from tests.model.strategies import TEXT
from tests.wire.test_round_trips import CODECS

DEEP = 4
GIVEN = {Outcome: {"raw": b""}, Lease: {"token": ""}}
WIDTHS = {
    FieldDescriptor.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_DOUBLE: st.floats(),
    FieldDescriptor.CPPTYPE_FLOAT: st.floats(width=32),
    FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
    FieldDescriptor.CPPTYPE_STRING: TEXT | st.sampled_from(("BUILD", "READY", "RUNNING", "a" * 64)),
    FieldDescriptor.CPPTYPE_ENUM: st.integers(0, 4) | st.just(99),
}


def fields(descriptor: Descriptor, depth: int = 0) -> st.SearchStrategy[dict]:
    """Any field may be missing, and an enum may be of a newer version."""
    known = {item.name: values(item, depth) for item in descriptor.fields if item.message_type is None or depth < DEEP}
    return st.fixed_dictionaries({}, optional=known)


def values(descriptor: FieldDescriptor, depth: int) -> st.SearchStrategy:
    nested = descriptor.message_type
    if nested is None:
        one = WIDTHS[descriptor.cpp_type]
    elif nested.GetOptions().map_entry:
        sides = nested.fields_by_name
        return st.dictionaries(values(sides["key"], depth), values(sides["value"], depth), max_size=1)
    else:
        one = fields(nested, depth + 1)
    return st.lists(one, max_size=2) if descriptor.is_repeated else one


@pytest.mark.parametrize("name", sorted(CODECS))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_message_is_a_value_or_bad_input(name, data):
    codec = CODECS[name]
    message = codec.message(**data.draw(fields(codec.message.DESCRIPTOR)))
    try:
        value = codec.decode(message, **GIVEN.get(codec.model, {}))
    except BadInput:
        return
    again = codec.encode(value)
    assert repr(codec.decode(again, **GIVEN.get(codec.model, {}))) == repr(value)
