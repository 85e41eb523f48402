"""Settings: one TOML file, and environment variables `WA360D_…` with `__` between levels that win over it.

The names are the contract of the product (see `config.example.toml`). An unknown name is an error that suggests the
nearest known one: a misspelt switch that silently does nothing costs an evening.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "WA360D_"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ConfigError(Exception):
    """The configuration cannot be used. The message says where, what and how to mend it, and holds no value."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _names(value: object) -> object:
    """A list, or one text with commas: what an environment variable can hold."""
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


def _address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address that begins with https:// (or http://)")
    return value.rstrip("/")


def _sendable(value: SecretStr) -> SecretStr:
    """What goes into a header: a token that was copied with a line break is refused by every server."""
    text = value.get_secret_value()
    if not text.isascii() or not text.isprintable():
        raise ValueError("must not contain line breaks or letters with accents: copy it again")
    return value


_MEDIA_TYPE = re.compile(r"\*|(?:\*|[A-Za-z0-9][A-Za-z0-9.+-]*)/(?:\*|[A-Za-z0-9][A-Za-z0-9.+-]*)")


class RocketChat(_Section):
    url: str
    user_id: str = ""
    auth_token: SecretStr = SecretStr("")
    username: str = ""
    password: SecretStr = SecretStr("")
    setup_channel: str = "omnichannel-whatsapp-cloud-api-setup"
    setup_members: Annotated[list[str], NoDecode] = []
    command_roles: Annotated[list[str], NoDecode] = ["admin", "livechat-manager"]
    status_reactions: bool = True

    _lists = field_validator("setup_members", "command_roles", mode="before")(_names)
    _url = field_validator("url")(_address)
    _token = field_validator("auth_token")(_sendable)

    @field_validator("setup_channel")
    @classmethod
    def _without_hash(cls, value: str) -> str:
        return value.strip().lstrip("#")

    @model_validator(mode="after")
    def _one_login(self) -> RocketChat:
        """Both at once would log in with the password when somebody has revoked the token, perhaps as somebody else."""
        if self.auth_token.get_secret_value() and self.password.get_secret_value():
            raise ValueError(
                "auth_token and password are both set: keep the one that the bot is to log in with, and take the other "
                "out of the file or the environment"
            )
        if not (self.user_id and self.auth_token.get_secret_value()) and not (
            self.username and self.password.get_secret_value()
        ):
            raise ValueError("set user_id and auth_token, or username and password")
        return self


class Dialog360(_Section):
    base_url: str = "https://waba-v2.360dialog.io"
    signup_url: str = "https://hub.360dialog.com/signup"
    messages_per_second: int = Field(default=80, ge=1, le=100_000)
    """What WhatsApp takes from one number: 80; 1 000 after an upgrade; 20 when it is also used on a phone. Bots
    that share a database divide it."""

    _urls = field_validator("base_url", "signup_url")(_address)


class Server(_Section):
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    public_url: str
    app_id: str = Field(default="whatsapp-360d-cloud", pattern=r"^[A-Za-z0-9_.-]+$")
    api_token: SecretStr = SecretStr("")
    metrics_token: SecretStr = SecretStr("")
    """Who may read `/metrics`. Empty: programs on this machine."""
    trusted_proxies: Annotated[list[str], NoDecode] = ["127.0.0.0/8", "::1"]

    _proxies = field_validator("trusted_proxies", mode="before")(_names)
    _tokens = field_validator("api_token", "metrics_token")(_sendable)

    @field_validator("metrics_token")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value()) < 16:
            raise ValueError("must have 16 characters at least, or be empty: the address is open to the internet")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        for one in value:
            try:
                ipaddress.ip_network(one, strict=False)
            except ValueError:
                raise ValueError("must be addresses or networks, such as 10.0.0.5 or 172.16.0.0/12") from None
        return value

    @property
    def proxies(self) -> list[Network]:
        """Those whose `X-Forwarded-For` is believed."""
        return [ipaddress.ip_network(one, strict=False) for one in self.trusted_proxies]

    @field_validator("public_url")
    @classmethod
    def _reachable(cls, value: str) -> str:
        """What 360Dialog takes as a webhook: https, no port, no underscore in the host. Loopback is for trying out."""
        value = _address(value)
        parts = urlsplit(value)
        host = parts.hostname or ""
        if host in ("localhost", "127.0.0.1", "::1"):
            return value
        if parts.scheme != "https" or parts.port is not None or "_" in host or "@" in parts.netloc:
            raise ValueError(
                "must be an https:// address without a port, a user name, or an underscore in its host: 360Dialog "
                "delivers to no other"
            )
        return value


class Log(_Section):
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["text", "json"] = "text"


class App(_Section):
    agents_display_info: Literal["none", "name", "username"] = "none"
    file_uploads_enabled: bool = True
    max_file_upload_size: int = Field(default=104857600, ge=-1)
    accepted_media_types: str = "image/*, application/pdf, video/*, audio/*"
    allow_quote_messages: bool = True
    template_refresh_interval_minutes: int = Field(default=60, ge=1)
    message_status_endpoint_url: str = ""
    message_status_filter: Literal["all", "regular", "template"] = "all"
    allow_list_options: bool = True
    list_button_label: str = Field(default="Show Options", min_length=1, max_length=20)
    preferred_language: str = "en"

    @field_validator("accepted_media_types")
    @classmethod
    def _types(cls, value: str) -> str:
        for one in value.split(","):
            if one.strip() and not _MEDIA_TYPE.fullmatch(one.partition(";")[0].strip()):
                raise ValueError("must be types with commas, such as image/* or application/pdf; empty for all")
        return value


class Storage(_Section):
    data_dir: Path = Path("data")
    database_url: SecretStr = SecretStr("")
    secret_key_file: Path | None = None
    """Empty: `secret.key` in data_dir."""
    keep_dead_letters_days: int = Field(default=30, ge=0, le=36500)
    """0: for ever."""

    @field_validator("secret_key_file", mode="before")
    @classmethod
    def _empty_is_default(cls, value: object) -> object:
        return value or None

    @property
    def key_file(self) -> Path:
        return self.secret_key_file or self.data_dir / "secret.key"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    rocketchat: RocketChat
    dialog360: Dialog360 = Dialog360()
    server: Server
    log: Log = Log()
    app: App = App()
    storage: Storage = Storage()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings  # the environment wins over the file


def known_names() -> dict[str, list[str]]:
    """Section → its settings, in the order in which they are documented."""
    return {
        section: list(info.annotation.model_fields)
        for section, info in Settings.model_fields.items()
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel)
    }


def load(path: Path | None, environ: Mapping[str, str] | None = None) -> Settings:
    """Reads the file (None: environment only). Raises ConfigError with every problem in it."""
    table: dict[str, Any] = {}
    if path is not None:
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            raise ConfigError(f"There is no file {path}. Copy config.example.toml to {path} and fill it in.") from None
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path} is not UTF-8: {error}. Save it as UTF-8.") from None
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path} is not valid TOML: {error}") from None
    problems = [*_unknown_in_file(table), *_unknown_in_environment(os.environ if environ is None else environ)]
    if problems:
        raise ConfigError("\n".join(problems))
    try:
        return Settings(**table)
    except ValidationError as error:
        lines = [f"{_where(item['loc'])}: {_plain(item['msg'])}" for item in error.errors()]
        if path is None:
            lines.append("Give a file with --config (see config.example.toml), or set environment variables WA360D_…")
        raise ConfigError("\n".join(lines)) from None


def _where(place: tuple[int | str, ...]) -> str:
    section, *names = map(str, place)
    return " ".join([f"[{section}]", *names[:1]])


def _plain(message: str) -> str:
    return {"Field required": "is missing"}.get(message, message.removeprefix("Value error, "))


def _suggest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f" Did you mean {near[0]}?" if near else f" Known: {', '.join(known)}."


def _unknown_in_file(table: Mapping[str, Any]) -> list[str]:
    known, found = known_names(), []
    for section, content in table.items():
        if section not in known:
            found.append(f"[{section}] is not a known section.{_suggest(section, list(known))}")
        elif isinstance(content, Mapping):
            found += [
                f"[{section}] {name} is not a known setting.{_suggest(name, known[section])}"
                for name in content
                if name not in known[section]
            ]
    return found


def _unknown_in_environment(environ: Mapping[str, str]) -> list[str]:
    known = [f"{PREFIX}{section}__{name}".upper() for section, names in known_names().items() for name in names]
    return [
        f"{name} is not a known environment variable.{_suggest(name.upper(), known)}"
        for name in environ
        if name.upper().startswith(PREFIX) and name.upper() not in known
    ]
