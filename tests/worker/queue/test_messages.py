import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.queue.celery_app import create_app
from worker.queue.messages import (
    MAX_JOB_ID,
    MAX_MESSAGE_BYTES,
    TASK,
    InvalidMessage,
    message_envelope,
    message_id,
    read_job_id,
    read_message_id,
)
from worker.settings import load_settings

_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


def message(job: int = 7) -> dict[str, Any]:
    """What the relay sends, as Celery writes it."""
    with create_app(load_settings(broker_url="redis://127.0.0.1:1/0")) as app:
        identity = message_id(job)
        headers, properties, body, _ = app.amqp.as_task_v2(identity, TASK, args=(job,))
    return {
        "body": base64.b64encode(json.dumps(body).encode()).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": headers,
        "properties": {**properties, "body_encoding": "base64"},
    }


SENT = message()


def raw(content: object) -> bytes:
    return json.dumps(content).encode()


def test_what_the_relay_sends_is_read() -> None:
    assert read_job_id(raw(SENT)) == 7
    assert read_job_id(raw(message(MAX_JOB_ID))) == MAX_JOB_ID
    assert len(raw(message(MAX_JOB_ID))) < MAX_MESSAGE_BYTES / 4


def test_what_is_handed_on_holds_no_word_of_what_came() -> None:
    came = json.loads(raw(SENT))
    came["headers"]["origin"] = came["headers"]["argsrepr"] = "evil"
    came["properties"] |= {"delivery_tag": ["evil"], "reply_to": "evil", "delivery_info": "evil"}
    handed_on = message_envelope(read_message_id(raw(came)), "bulk")
    assert b"evil" not in handed_on
    assert read_job_id(handed_on) == 7


@given(st.binary(max_size=300))
def test_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(InvalidMessage):
        read_message_id(content)


@given(_ANYTHING)
def test_json_of_any_shape_is_refused(content: Any) -> None:
    with pytest.raises(InvalidMessage):
        read_message_id(raw(content))


@given(
    st.sampled_from(sorted({*SENT["headers"]} - {"argsrepr", "kwargsrepr", "origin", "ignore_result"})),
    _ANYTHING,
)
def test_a_header_of_another_value_is_refused(name: str, value: Any) -> None:
    forged = json.loads(raw(SENT))
    same = raw(forged["headers"][name]) == raw(value)
    forged["headers"][name] = value
    if same:
        assert read_job_id(raw(forged)) == 7
    else:
        with pytest.raises(InvalidMessage):
            read_message_id(raw(forged))


@given(_ANYTHING)
def test_a_body_that_says_anything_else_is_refused(content: Any) -> None:
    forged = SENT | {"body": base64.b64encode(raw(content)).decode()}
    with pytest.raises(InvalidMessage):
        read_message_id(raw(forged))


@given(_ANYTHING)
def test_an_argument_that_is_not_the_number_is_refused(argument: Any) -> None:
    body = [[argument], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    forged = SENT | {"body": base64.b64encode(raw(body)).decode()}
    if type(argument) is int and argument == 7:
        assert read_job_id(raw(forged)) == 7
    else:
        with pytest.raises(InvalidMessage):
            read_message_id(raw(forged))


@pytest.mark.parametrize("number", ["0", "-1", "07", "7.0", "٧", "9" * 19, "9" * 5000, "", " 7", "0x7"])
def test_a_number_that_no_job_has_is_refused(number: str) -> None:
    identity = f"{number}.{message_id(1).partition('.')[2]}"
    forged = json.loads(raw(SENT).replace(SENT["headers"]["id"].encode(), identity.encode()))
    forged["headers"]["id"] = forged["headers"]["root_id"] = identity
    with pytest.raises(InvalidMessage):
        read_message_id(raw(forged))


@pytest.mark.parametrize("content", [b"[" * 8000, b'{"a":' * 1500, b"\xff\xfe\x00", b"NaN", b"", b"1" * 8000])
def test_what_trips_a_parser_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidMessage):
        read_message_id(content)


def test_a_refusal_does_not_repeat_what_came() -> None:
    forged = json.loads(raw(SENT))
    forged["headers"] |= {"evil\x1b[31m": 1}
    with pytest.raises(InvalidMessage, match="1 headers") as caught:
        read_message_id(raw(forged))
    assert "evil" not in str(caught.value)
