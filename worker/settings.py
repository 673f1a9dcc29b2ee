"""Settings: `SAEK_*` in the environment, then `saek.toml` in the home, then defaults."""

import difflib
import hashlib
import os
import stat
import tempfile
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from worker.addresses import holds_secret, require_broker_address, require_database_address
from worker.errors import SettingsError

PREFIX = "SAEK_"
FILE_NAME = "saek.toml"
SOCKET_PATH_BYTES = 100  # the kernel takes 107
_PATHS = ("home", "inbox", "outbox", "models", "broker_ca", "broker_certificate", "broker_key")


class Watch(StrEnum):
    """Method of watching the inbox."""

    AUTO = "auto"
    INOTIFY = "inotify"
    POLLING = "polling"


class Verify(StrEnum):
    """Extent to which the certificate of the broker is checked."""

    FULL = "full"
    """Certificate chain and host name."""
    CHAIN = "chain"
    """Certificate chain only: any holder of a certificate of that authority can answer."""


class HardLinks(StrEnum):
    """Treatment of files in the inbox with several hard links."""

    REFUSE = "refuse"
    ACCEPT = "accept"


class LogFormat(StrEnum):
    """Format of log lines."""

    CONSOLE = "console"
    JSON = "json"


class Settings(BaseSettings):
    """All settings of a station; each is `SAEK_<NAME>` in the environment and `<name>` in `saek.toml`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    home: Path = Field(
        Path("~/saek"), description="The station's folder: inbox, outbox, database, broker, logs."
    )
    inbox: Path | None = Field(None, description="The watched folder. Default: `inbox` under the home.")
    outbox: Path | None = Field(None, description="Folder of derivatives. Default: `outbox` under the home.")
    models: Path | None = Field(
        None, description="Folder of imported models. Default: `models` under the home."
    )

    database_url: SecretStr | None = Field(
        None, description="SQLAlchemy URL of the record. Default: SQLite file `saek.db` under the home."
    )
    broker_url: SecretStr | None = Field(
        None, description="Redis URL of the broker. Default: an embedded Valkey on a socket under the home."
    )
    broker_ca: Path | None = Field(
        None,
        description="PEM file of the certificate authorities of a `rediss://` broker. Default: the system's.",
    )
    broker_certificate: Path | None = Field(
        None, description="PEM file of the client certificate, if the broker asks for one."
    )
    broker_key: Path | None = Field(
        None, description="PEM file of the private key of the client certificate."
    )
    broker_verify: Verify = Field(
        Verify.FULL,
        description="`full`, or `chain` to accept another host name in the certificate of the broker.",
    )

    hard_links: HardLinks = Field(
        HardLinks.REFUSE,
        description="`refuse`, or `accept` where `rsync --link-dest` or deduplication links files.",
    )
    settle_seconds: float = Field(
        5.0,
        ge=0.1,
        le=3600,
        description="A file is taken when its size and time have not changed for this long.",
    )
    rescan_seconds: float = Field(300.0, ge=1, description="Interval of full scans of the inbox.")
    watch: Watch = Field(
        Watch.AUTO, description="`inotify`, `polling`, or `auto` to choose by the file system."
    )
    poll_seconds: float = Field(10.0, ge=0.2, description="Interval of scans when polling.")

    model: str | None = Field(
        None, description="Model for dropped files. Default: the choice of `saek models default`."
    )
    preset: str = Field("balanced", description="`fast`, `balanced`, `fine` or `native`.")
    strength: float = Field(1.0, ge=0.0, le=2.0, description="Chroma gain: 0 is gray, 1 is as predicted.")
    warmth: float = Field(
        0.0,
        ge=-1.0,
        le=1.0,
        description="Color shift: -1 is toward blue, 0 as predicted, 1 toward amber. Gray stays gray.",
    )
    format: str = Field(
        "tiff", description="`tiff` (lossless, default), `png` (lossless) or `jpeg` (access copy)."
    )
    pyramid: bool = Field(
        False,
        description="Write a tiled TIFF with reduced copies, for viewers that zoom. Same pixels.",
    )
    engine: str = Field(
        "auto",
        pattern="^(auto|torch|openvino)$",
        description="`torch`, `openvino`, or `auto`: torch on a CUDA device, else OpenVINO.",
    )
    device: str = Field("auto", pattern="^(auto|cpu|cuda)$", description="`auto`, `cpu` or `cuda`.")
    threads: int | None = Field(
        None, ge=1, description="CPU threads of one worker process. Default: an equal share of the cores."
    )
    concurrency: int = Field(
        1, ge=1, le=64, description="Number of worker processes. They share the cores and a GPU."
    )

    lease_seconds: float = Field(
        30.0, ge=2, description="A job is taken from a worker that has not answered for this long."
    )
    task_seconds: int = Field(6 * 3600, ge=10, description="Hard time limit of one job.")
    drain_seconds: float = Field(
        20.0,
        ge=0,
        description="Time for a running job to finish on shutdown, before it goes back to the queue.",
    )
    dispatch_seconds: float = Field(0.5, ge=0.05, description="Interval between rounds of the dispatcher.")
    dispatch_depth: int = Field(
        16,
        ge=1,
        description="Messages kept in the broker for each lane; more while workers take more.",
    )
    republish_seconds: float = Field(
        15.0,
        ge=1,
        description="A message is sent again when its job has not been claimed for this long.",
    )

    max_pixels: int = Field(
        2_000_000_000, ge=1, description="Maximum size of a master in pixels; larger ones are quarantined."
    )
    reader_bytes: int = Field(
        2_000_000_000,
        ge=200_000_000,
        description="Memory limit for the process that reads masters; files that need more are quarantined.",
    )
    reader_cpu_seconds: int = Field(
        900,
        ge=1,
        description="CPU time limit for reading one master; files that need more are quarantined.",
    )
    reader_silent_seconds: int = Field(
        120,
        ge=1,
        description="Time limit without progress when reading a master; files beyond it are quarantined.",
    )
    min_free_bytes: int = Field(
        500_000_000, ge=0, description="Work waits while the outbox has less free space than this."
    )

    log_level: str = Field(
        "INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Lowest level that is logged."
    )
    log_format: LogFormat = Field(
        LogFormat.CONSOLE, description="`console` for people, `json` for collectors."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  (the signature is pydantic's)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order of precedence: arguments, environment, TOML file of the home."""
        home = Path(
            init_settings().get("home") or env_settings().get("home") or cls.model_fields["home"].default
        )
        file = TomlConfigSettingsSource(settings_cls, toml_file=home.expanduser() / FILE_NAME)
        return init_settings, env_settings, file

    @property
    def inbox_path(self) -> Path:
        """The watched folder."""
        return self.inbox or self.home / "inbox"

    @property
    def outbox_path(self) -> Path:
        """The folder of derivatives."""
        return self.outbox or self.home / "outbox"

    @property
    def models_path(self) -> Path:
        """The folder of imported models."""
        return self.models or self.home / "models"

    @property
    def run_path(self) -> Path:
        """Folder of sockets, locks and drain marks of running processes."""
        return self.home / "run"

    @property
    def log_path(self) -> Path:
        """The folder of log files that a station writes."""
        return self.home / "log"

    @property
    def broker_data_path(self) -> Path:
        """Folder of the append-only file of the embedded broker."""
        return self.home / "broker"

    @property
    def embedded_broker(self) -> bool:
        """True if the station starts its own broker."""
        return self.broker_url is None

    @property
    def broker_socket(self) -> Path:
        """Unix socket of the embedded broker, in the temporary folder if the path would be too long."""
        path = self.run_path / "broker.sock"
        if len(os.fsencode(path)) <= SOCKET_PATH_BYTES:
            return path
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"saek-{os.getuid()}-{digest}" / "broker.sock"

    @field_validator("broker_url", "database_url")
    @classmethod
    def _readable(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is not None:
            check = require_broker_address if info.field_name == "broker_url" else require_database_address
            check(value.get_secret_value())
        return value

    def database_address(self) -> str:
        """URL of the record with its password; never log it."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.home / 'saek.db'}"

    def broker_address(self) -> str:
        """URL of the broker with its password; never log it."""
        if self.broker_url is not None:
            return self.broker_url.get_secret_value()
        return f"redis+socket://{self.broker_socket}"


def load_settings(**overrides: Any) -> Settings:
    """Read and check all settings.

    Raises:
        SettingsError: a value is out of range, a name is unknown, or the file is not valid TOML.
    """
    _refuse_unknown_variables()
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise SettingsError(
            reason=f"A setting is not valid: {problems}.",
            remedy=f"Fix it in the environment ({PREFIX}...) or in {FILE_NAME}; see docs/settings.md.",
        ) from None  # pydantic's message could hold the given value
    except ValueError as error:
        raise SettingsError(reason=f"{FILE_NAME} cannot be read: {error}.", remedy="Fix the file.") from error
    _refuse_open_file(settings.home.expanduser() / FILE_NAME)
    paths = {name: getattr(settings, name) for name in _PATHS}
    absolute = {name: path.expanduser().absolute() for name, path in paths.items() if path is not None}
    return settings.model_copy(update=absolute)


def _refuse_open_file(file: Path) -> None:
    """Refuse a world-writable file, and a world-readable one that holds a password."""
    try:
        mode = file.stat().st_mode
    except OSError:
        return  # there is no file
    if mode & stat.S_IWOTH:
        raise SettingsError(reason=f"{file} is world-writable.", remedy=f"Run: chmod o-w '{file}'")
    if not mode & stat.S_IROTH:
        return
    given = tomllib.loads(file.read_text(encoding="utf-8"))
    if any(holds_secret(str(given[name])) for name in ("database_url", "broker_url") if name in given):
        raise SettingsError(
            reason=f"{file} holds a password and is world-readable.",
            remedy=f"Run: chmod o-rwx '{file}'",
        )


def _refuse_unknown_variables() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in os.environ:
        if name.startswith(PREFIX) and not name.startswith(f"{PREFIX}TEST_") and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, n=1)
            hint = f"Did you mean {near[0]}?" if near else "See docs/settings.md for all settings."
            raise SettingsError(
                reason=f"The environment variable {name} is not a setting of Saek.", remedy=hint
            )
