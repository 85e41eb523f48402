"""Alerts and dashboard in deploy/ fit what the bot shows at /metrics, and each alert is tried."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from bot.metrics import OUTCOMES, Metrics, State, _result
from bot.ports import Kind

DEPLOY = Path(__file__).parents[2] / "deploy"
METRIC = re.compile(r"\bwa360d_\w+")
LABELS = {
    "outcome": set(OUTCOMES),
    "kind": set(get_args(Kind)),
    "result": {"lost", *(_result(status) for status in (200, 404, 429, 503))},
    "status": {"200"},
    "route": {"/api/apps/private/whatsapp-360d-cloud/{key}/incoming"},
}


def text(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(text("alerts.yml"))["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return list(json.loads(text("grafana.json"))["panels"])


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
    asked = [target["expr"] for panel in panels() for target in panel.get("targets", ())]
    return [*(rule["expr"] for rule in alerts()), *asked]


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_is_whole_and_counts_counters_as_such(expression: str) -> None:
    bare = re.sub(r'"[^"]*"', '""', expression)
    for opening, closing in ("()", "{}", "[]"):
        assert bare.count(opening) == bare.count(closing)
    for name in re.findall(r"wa360d_\w+_(?:total|bucket|count)\b(?!\s*\{[^}]*\}\s*\[|\s*\[)", bare):
        pytest.fail(f"{name} only ever grows: rate() or increase() says how much")


@pytest.mark.parametrize("expression", expressions())
def test_a_label_that_is_asked_for_can_have_that_value(expression: str) -> None:
    """An alert on a value that never comes is silent for ever, and nobody sees why."""
    for label, operator, asked in re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', expression):
        known = LABELS.get(label, {"whatsapp-bot"} if label == "job" else set())
        wanted = asked.replace("$job", "whatsapp-bot").split("|") if "~" in operator else [re.escape(asked)]
        for one in wanted:
            assert any(re.fullmatch(one, value) for value in known), f"{label}: {one}"


def test_every_alert_says_what_to_do() -> None:
    rules = alerts()

    assert len({rule["alert"] for rule in rules}) == len(rules) >= 10
    for rule in rules:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"] and rule["annotations"]["description"]


def test_every_alert_is_tried_in_sickness_and_in_health() -> None:
    """That it fires, and that it does not a moment before; `promtool` runs what stands there."""
    tests = yaml.safe_load(text("alerts_test.yml"))["tests"]
    fired: dict[str, list[int]] = {}
    for one in tests:
        silent = 0
        for asked in sorted(one["promql_expr_test"], key=lambda asked: int(asked["eval_time"].rstrip("m"))):
            silent += not asked["exp_samples"]
            for sample in asked["exp_samples"]:
                [alert] = re.findall(r'alertname="(\w+)"', sample["labels"])
                fired.setdefault(alert, []).append(silent)

    assert set(fired) == {rule["alert"] for rule in alerts()}
    assert all(silent > 0 for before in fired.values() for silent in before)
    healthy = {name for one in tests[:1] for series in one["input_series"] for name in METRIC.findall(series["series"])}
    assert {name for rule in alerts() for name in METRIC.findall(rule["expr"])} <= healthy


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not installed here")
def test_the_alerts_fire_when_they_should_and_only_then() -> None:
    done = subprocess.run(
        ["promtool", "test", "rules", "alerts_test.yml"],
        cwd=DEPLOY, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_panel_shows_what_it_asks_for() -> None:
    """Options as Grafana's own schema (@grafana/schema) wants them; one that is missing is a matter of its version."""
    wanted = {
        "stat": {
            "reduceOptions", "orientation", "textMode", "colorMode", "graphMode", "justifyMode", "wideLayout",
            "percentChangeColorMode", "showPercentChange",
        },
        "timeseries": {"legend", "tooltip"},
    }  # fmt: skip
    for panel in panels():
        if panel["type"] == "row":
            continue
        assert set(panel["options"]) == wanted[panel["type"]], panel["title"]
        assert [target["refId"] for target in panel["targets"]] == list("ABCD"[: len(panel["targets"])])
        if panel["type"] == "stat" and "_info" in panel["targets"][0]["expr"]:
            assert panel["options"]["textMode"] == "name"  # its value is always 1


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        columns, lines = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        cells = {(x, y) for x in columns for y in lines}
        assert not cells & taken and all(x < 24 for x, _ in cells), panel["title"]
        taken |= cells
