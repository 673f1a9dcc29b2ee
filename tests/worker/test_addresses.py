import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.addresses import (
    holds_secret,
    masked,
    require_broker_address,
    require_database_address,
    transport_weakness,
)
from worker.errors import SettingsError
from worker.settings import load_settings


@pytest.mark.parametrize(
    "url", ["redis://h", "redis://h:6379/0", "rediss://:hush@h:6379/1", "redis://saek:h%2Fush@[::1]:6379/"]
)
def test_addresses_of_brokers_are_taken(url: str) -> None:
    require_broker_address(url)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////srv/saek.db",
        "postgresql://u:hush@h/saek?sslmode=verify-full&sslrootcert=/etc/ca.pem",
        "postgresql+psycopg://u:hu%40sh@h:5432/saek",
        "postgresql:///saek?host=/run/postgresql",
    ],
)
def test_addresses_of_records_are_taken(url: str) -> None:
    require_database_address(url)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("broker_url", "redis://:qz/wv@h:6379/0"),
        ("broker_url", "redis://:qz#wv@h:6379/0"),
        ("broker_url", "redis://:qz?wv@h:6379/0"),
        ("broker_url", "redis://:qzwv:qzwv@h:qzwv/0"),
        ("broker_url", "redis://[qzwv"),
        ("broker_url", "redis://h/qzwv"),
        ("broker_url", "redis://h/0?password=qzwv"),
        ("broker_url", "rediss://h/0?ssl_cert_reqs=none&x=qzwv"),
        ("broker_url", "amqp://u:qzwv@h"),
        ("broker_url", "memory://qzwv"),
        ("broker_url", "qzwv"),
        ("database_url", "postgresql://u:qz/wv@h/saek"),
        ("database_url", "postgresql://u:qzwv@h:qzwv/saek"),
        ("database_url", "postgresql://u:qz#wv@h/saek"),
        ("database_url", "postgresql://u:qz?wv@h/saek"),
        ("database_url", "qzwv"),
    ],
)
def test_an_invalid_address_is_refused_without_any_part_of_it(name: str, url: str) -> None:
    with pytest.raises(SettingsError, match=name) as caught:
        load_settings(**{name: url})
    said = f"{caught.value} {caught.value.__cause__} {caught.value.__context__}"
    assert "qz" not in said
    assert "wv" not in said


@given(st.text(alphabet=st.characters(codec="ascii", exclude_characters="hux"), min_size=6, max_size=30))
def test_no_password_is_ever_repeated_whatever_it_is(password: str) -> None:
    for name, url in (
        ("broker_url", f"redis://x:{password}@h:6379/0"),
        ("database_url", f"postgresql://x:{password}@h:5432/x"),
    ):
        try:
            shown = masked(getattr(load_settings(**{name: url}), name).get_secret_value())
        except SettingsError as error:
            shown = str(error)
        assert password not in shown or password in f"A setting is not valid: {name}:"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://:hush@broker/0", "unencrypted"),
        ("postgresql://u:hush@db/saek", "prefer"),
        ("postgresql://u:hush@db/saek?sslmode=require", "require"),
    ],
)
def test_what_travels_in_the_clear_is_told(url: str, says: str) -> None:
    assert says in transport_weakness(url)
    assert "hush" not in transport_weakness(url)


@pytest.mark.parametrize(
    "url",
    [
        "rediss://:hush@broker/0",
        "redis://:hush@127.0.0.1/0",
        "redis+socket:///run/broker.sock",
        "sqlite:////srv/saek.db",
        "postgresql://u:hush@db/saek?sslmode=verify-full",
        "postgresql:///saek?host=/run/postgresql",
    ],
)
def test_what_nobody_can_overhear_is_not_told(url: str) -> None:
    assert transport_weakness(url) == ""


def test_whether_an_address_holds_a_password() -> None:
    assert holds_secret("redis://:hush@h/0")
    assert holds_secret("postgresql://h/x?sslpassword=hush")
    assert not holds_secret("redis://h/0")
