"""What the files of deploy/ promise each other. That they run is seen by `make proof`, which needs a broker."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.proof.__main__ import IN_APP

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
OURS = {"web", "admin", "daemon", "code", "worker"}


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text("utf-8"))


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = read("deploy/compose.yaml")["services"]
    return found


def worker_settings() -> dict[str, Any]:
    """The literals of the workers' settings; the module itself wants the broker's URL in the environment."""
    tree = ast.parse((DEPLOY / "dagster_celery_config.py").read_text("utf-8"))
    assigned = [(node.targets[0].id, node.value) for node in tree.body if isinstance(node, ast.Assign)]  # type: ignore[attr-defined]
    return {name: ast.literal_eval(value) for name, value in assigned if not isinstance(value, ast.Subscript)}


def test_the_deployments_instance_is_the_checkouts_but_for_its_workers() -> None:
    checkout, deployed = read("dagster.yaml"), read("deploy/dagster.yaml")
    assert deployed.keys() - checkout.keys() == {"run_launcher"}
    assert {key for key in checkout if checkout[key] != deployed[key]} <= {"run_monitoring", "run_retries"}
    for section in ("run_monitoring", "run_retries"):
        assert checkout[section].keys() <= deployed[section].keys()
    assert deployed["run_monitoring"]["max_runtime_seconds"] == checkout["run_monitoring"]["max_runtime_seconds"]


def test_as_many_runs_are_launched_as_the_workers_have_slots(services: dict[str, Any]) -> None:
    command = services["worker"]["command"]
    slots = services["worker"]["deploy"]["replicas"] * int(command[command.index("--concurrency") + 1])
    assert read("deploy/dagster.yaml")["concurrency"]["runs"]["max_concurrent_runs"] == slots
    assert worker_settings()["worker_prefetch_multiplier"] == 1


def test_who_hands_runs_out_and_who_takes_them_agree_when_one_is_handed_out_again() -> None:
    launcher = read("deploy/dagster.yaml")["run_launcher"]["config"]
    assert worker_settings()["broker_transport_options"] == launcher["config_source"]["broker_transport_options"]
    assert worker_settings()["task_acks_late"] is True


def test_nothing_but_the_web_server_and_the_admin_page_is_published_and_both_on_loopback_alone(
    services: dict[str, Any],
) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"web": ["127.0.0.1:3000:3000"], "admin": ["127.0.0.1:3001:3001"]}
    assert read("deploy/compose.yaml")["networks"]["inside"] == {"internal": True}


def test_only_what_asks_asana_holds_the_token_and_no_file_holds_a_secret(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "secrets" in service] == ["admin", "worker"]
    for name, service in services.items():
        assert "ASANA_ACCESS_TOKEN" not in service.get("environment", {}), name
        for key, value in service.get("environment", {}).items():
            if "PASSWORD" in key or key.endswith("SECRET") or "://" in str(value):
                assert re.search(r"\$\{\w+:\?\}", value), f"{name}: {key}"


def test_the_admin_page_of_both_deployments_takes_users_from_a_proxy_and_no_tokens(services: dict[str, Any]) -> None:
    (deployment, service) = yaml.safe_load_all((DEPLOY / "kubernetes-admin.yaml").read_text("utf-8"))
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["command"] == services["admin"]["command"]
    port = int(container["command"][-1])
    assert (container["ports"], service["spec"]["ports"][0]["port"]) == ([{"containerPort": port}], port)
    assert {"name": "PERFCOPILOT_ADMIN_TOKENS", "value": "off"} in container["env"]
    assert services["admin"]["environment"]["PERFCOPILOT_ADMIN_TOKENS"] == "off"
    secrets = [source["secretRef"]["name"] for source in container["envFrom"]]
    assert secrets == ["perfcopilot-database", "perfcopilot-asana", "perfcopilot-admin"]
    assert container["image"].rpartition(":")[2] == read("deploy/kubernetes.yaml")["dagsterWebserver"]["image"]["tag"]


def test_nothing_runs_as_root_or_may_become_it(services: dict[str, Any]) -> None:
    recipe = (DEPLOY / "Dockerfile").read_text("utf-8")
    assert recipe.rindex("USER 10001") > recipe.rindex("RUN")
    for name in OURS:
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["security_opt"] == ["no-new-privileges:true"]
        assert services[name]["read_only"] is True


def test_what_a_process_of_the_deployment_loads_is_in_the_image_and_in_the_proof() -> None:
    """Settings of the workers and the launcher are found on PYTHONPATH, so no import of ours would miss them."""
    needed = {*(path.name for path in DEPLOY.glob("*.py")), "dagster.yaml", "workspace.yaml"}
    (copied,) = re.findall(r"^COPY ((?:deploy/\S+ )+)/app/$", (DEPLOY / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    let_in = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert set(copied.split()) == {f"deploy/{name}" for name in needed}
    assert {f"!deploy/{name}" for name in needed} <= set(let_in)
    assert set(IN_APP) == needed


def test_the_image_has_the_releases_that_are_tested() -> None:
    """Of everything that both lock files name."""
    tested, deployed = (
        set(re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==([\w.]+)", (ROOT / name).read_text("utf-8"), re.MULTILINE))
        for name in ("requirements.lock", "deploy/requirements.lock")
    )
    both = {name for name, _ in tested} & {name for name, _ in deployed}
    assert len(both) > 50
    assert {pin for pin in deployed if pin[0] in both} <= tested
