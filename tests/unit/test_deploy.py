"""What stands in deploy/ fits the bot: settings, files, what operators type, and the pinned packages."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.config import known_names, load

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
HARDENED = {
    "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
    "CapabilityBoundingSet": "", "UMask": "0077", "StateDirectory": "whatsapp-bot", "MemoryDenyWriteExecute": "yes",
}  # fmt: skip


def text(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


# --- settings and files ---------------------------------------------------------------------------------------------


def environment(found: str) -> dict[str, str]:
    return dict(re.findall(r"\b(WA360D_\w+)[=:] ?\"?([^\n\"\\]*)", found))


@pytest.mark.parametrize("name", ["Dockerfile", "compose.yaml", "bot.env.example", "whatsapp-bot.service", "README.md"])
def test_every_setting_that_is_named_exists(name: str) -> None:
    known = {f"WA360D_{section}__{one}".upper() for section, names in known_names().items() for one in names}

    assert set(re.findall(r"WA360D_[A-Z0-9_]+__[A-Z0-9_]+", text(name))) - known == set()


def test_the_settings_of_image_and_compose_together_are_a_configuration() -> None:
    compose = yaml.safe_load(text("compose.yaml"))["services"]["bot"]
    given = {**environment(text("Dockerfile")), **environment(text("bot.env.example")), **compose["environment"]}
    given.pop("WA360D_SERVER__METRICS_TOKEN", None)

    with pytest.MonkeyPatch.context() as patched:
        for name, value in given.items():
            patched.setenv(name, value.strip())
        settings = load(None)

    assert settings.server.host == "0.0.0.0"
    assert settings.storage.data_dir == Path("/data")
    assert settings.log.format == "json" and len(settings.server.proxies) == 3


def test_the_bot_in_the_compose_file_may_do_little() -> None:
    bot = yaml.safe_load(text("compose.yaml"))["services"]["bot"]

    assert bot["read_only"] is True and bot["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in bot["security_opt"]
    assert bot["volumes"] == ["bot:/data"] and bot["tmpfs"]
    assert all(port.startswith("127.0.0.1:") for port in bot["ports"])


def test_services_and_volumes_of_the_compose_file_exist() -> None:
    compose = yaml.safe_load(text("compose.yaml"))
    for service in compose["services"].values():
        assert set(service.get("depends_on", {})) <= set(compose["services"])
        assert {one.partition(":")[0] for one in service["volumes"]} <= set(compose["volumes"])
        assert service["restart"] == "unless-stopped"


def test_the_image_holds_what_runs_and_is_nobody_s_root() -> None:
    lines = [line.split() for line in text("Dockerfile").splitlines() if line and line[0].isupper()]
    copied = {words[1] for words in lines if words[0] == "COPY" and not words[1].startswith("--")}
    ignored = text("Dockerfile.dockerignore").splitlines()

    assert all((ROOT / one).exists() for one in copied)
    assert {f"!{one}" for one in copied} <= set(ignored) and ignored[0] == "*"
    assert {"bot", "commands", "templates", "i18n"} <= copied
    assert ["USER", "10001:10001"] in lines
    assert "--require-hashes" in text("Dockerfile")


def test_what_cannot_be_written_when_it_runs_is_compiled_before() -> None:
    """Compiling everything anew would make each start a third longer."""
    image, readme = text("Dockerfile"), text("README.md")
    code = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()} - {"tests"}
    found = [re.search(r"python -m compileall -q ([a-z ]+[a-z])", one) for one in (image, readme)]

    assert [one and set(one[1].split()) for one in found] == [code, code]
    assert image.index("compileall") > max(found.start() for found in re.finditer(r"^COPY (?!--)", image, re.M))


def test_what_the_compose_file_reads_is_there_before_it_is_first_read() -> None:
    """`docker compose` refuses every command, also one for another service, while an env_file is missing."""
    compose = yaml.safe_load(text("compose.yaml"))["services"]["bot"]
    steps = re.split(r"(?m)^## ", text("README.md"))[2]

    assert "In containers" in steps.splitlines()[0]
    assert steps.index(f"install -m 0600 bot.env.example {compose['env_file']}") < steps.index("docker compose")
    assert steps.index("> .env") < steps.index("docker compose")


def test_the_folders_of_a_restore_are_those_that_the_bot_uses() -> None:
    """In a container: the volume by the name that compose gives it, and files that its user may write."""
    compose, readme, unit = yaml.safe_load(text("compose.yaml")), text("README.md"), text("whatsapp-bot.service")
    volume = compose["services"]["bot"]["volumes"][0].partition(":")[0]

    assert f"docker volume rm {compose['name']}_{volume} " in readme
    owner = re.search(r"install -d -m 0700 -o (\d+) backups", readme)
    assert owner is not None and owner[1] in text("Dockerfile")
    folders = set(re.findall(r"WA360D_STORAGE__DATA_DIR=(\S+)", readme + unit))
    assert folders == {"/var/lib/whatsapp-bot"}
    assert "install -d -m 0700 -o whatsapp-bot -g whatsapp-bot /var/lib/whatsapp-bot\n" in readme


def test_the_health_check_of_the_image_is_python_that_compiles() -> None:
    found = re.search(r'CMD (\["python", "-c".*\])', text("Dockerfile"))
    assert found is not None

    compile(json.loads(found[1])[2], "healthcheck", "exec")


# --- systemd --------------------------------------------------------------------------------------------------------


def test_the_unit_is_hardened_and_starts_what_the_readme_installs() -> None:
    lines = [line for line in text("whatsapp-bot.service").splitlines() if "=" in line and line[0] != "#"]
    unit = dict(line.split("=", 1) for line in lines)

    assert {name: unit[name] for name in HARDENED} == HARDENED
    assert unit["ExecStart"].endswith(" -m bot run --config /etc/whatsapp-bot/config.toml")
    assert unit["RestartPreventExitStatus"] == "2"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here")
def test_systemd_reads_the_unit(tmp_path: Path) -> None:
    unit = text("whatsapp-bot.service").replace("/opt/whatsapp-bot/.venv/bin/python", sys.executable)
    path = tmp_path / "whatsapp-bot.service"
    path.write_text(unit, encoding="utf-8")

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, timeout=60, check=False
    )

    told = [line for line in done.stderr.splitlines() if "whatsapp-bot" in line]
    assert (done.returncode, told) == (0, [])


# --- packages -------------------------------------------------------------------------------------------------------


def pinned(path: Path) -> dict[str, str]:
    """Name → version, condition and hashes, without the comments."""
    blocks = re.split(r"(?m)^(?=[a-z0-9])", re.sub(r"(?m)^\s*#.*\n?", "", path.read_text(encoding="utf-8")))
    return {block.partition("==")[0]: block.strip() for block in blocks if "==" in block}


def test_the_image_gets_the_packages_that_are_tested_and_no_others() -> None:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    tested, shipped = pinned(ROOT / "requirements.lock"), pinned(DEPLOY / "requirements.lock")

    assert shipped.items() <= tested.items()
    wanted = {re.split(r"[\s;<>=]", one)[0].lower() for one in project["dependencies"]}
    tools = {re.split(r"[\s;<>=]", one)[0].lower() for one in project["optional-dependencies"]["dev"]}
    assert wanted <= set(shipped)
    assert not tools & set(shipped)
