"""What stands in deploy/ fits the bot: names of metrics, settings, files, and the pinned packages."""

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
from bot.metrics import Metrics, State

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
METRIC = re.compile(r"\bwa360d_\w+")
HARDENED = {
    "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
    "CapabilityBoundingSet": "", "UMask": "0077", "StateDirectory": "whatsapp-bot",
}  # fmt: skip


def text(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


# --- metrics --------------------------------------------------------------------------------------------------------


def exposed() -> set[str]:
    """Every name that a bot which has done everything once shows."""
    metrics = Metrics()
    metrics.entry("wa.message", "done", 1.0)
    metrics.request("/livez", "GET", 200, 0.1)
    metrics.commit(1, 0.1)
    metrics._call_of("rocketchat", "ok").observe(0.1)
    lines = metrics.text(State(True, True, 1, 1.0)).decode().splitlines()
    return {found[0] for line in lines if not line.startswith("#") and (found := METRIC.match(line))}


@pytest.mark.parametrize("name", ["grafana.json", "alerts.yml", "README.md"])
def test_every_metric_that_is_named_exists(name: str) -> None:
    named = set(METRIC.findall(text(name)))

    assert named, name
    assert named - exposed() == set()


def expressions() -> list[str]:
    rules = yaml.safe_load(text("alerts.yml"))["groups"]
    panels = json.loads(text("grafana.json"))["panels"]
    asked = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    return [*(rule["expr"] for group in rules for rule in group["rules"]), *asked]


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_is_whole_and_counts_counters_as_such(expression: str) -> None:
    bare = re.sub(r'"[^"]*"', '""', expression)
    for opening, closing in ("()", "{}", "[]"):
        assert bare.count(opening) == bare.count(closing)
    for name in re.findall(r"wa360d_\w+_(?:total|bucket|count)\b(?!\s*\{[^}]*\}\s*\[|\s*\[)", bare):
        pytest.fail(f"{name} only ever grows: rate() or increase() says how much")


def test_every_alert_says_what_to_do() -> None:
    rules = [rule for group in yaml.safe_load(text("alerts.yml"))["groups"] for rule in group["rules"]]

    assert len({rule["alert"] for rule in rules}) == len(rules) >= 10
    for rule in rules:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"] and rule["annotations"]["description"]


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(text("grafana.json"))["panels"]:
        place = panel["gridPos"]
        columns, lines = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        cells = {(x, y) for x in columns for y in lines}
        assert not cells & taken and all(x < 24 for x, _ in cells), panel["title"]
        taken |= cells


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
