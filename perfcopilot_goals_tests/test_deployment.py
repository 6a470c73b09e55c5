"""What the files of deploy/ promise each other. That they run is seen by `make proof`, which needs a broker."""

import ast
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes.client as k8s
import pytest
import yaml
from click.testing import CliRunner
from dagster_k8s.models import k8s_snake_case_dict

from deploy.proof.__main__ import IN_APP
from perfcopilot_goals.cli import main

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


COMMAND = "deploy/kubernetes-command.yaml"


@pytest.fixture(scope="module")
def command_pod() -> dict[str, Any]:
    """The pod of the Job that runs one command. Every key of the Job is one that Kubernetes knows."""
    job = read(COMMAND)
    k8s_snake_case_dict(k8s.V1Job, job)
    found: dict[str, Any] = job["spec"]["template"]["spec"]
    return found


def secrets_of(container: dict[str, Any]) -> set[str]:
    return {source["secretRef"]["name"] for source in container["envFrom"]}


def test_a_command_in_kubernetes_has_the_tokens_and_settings_of_a_run_pod(command_pod: dict[str, Any]) -> None:
    values = read("deploy/kubernetes.yaml")
    (code,) = values["dagster-user-deployments"]["deployments"]
    launcher = values["runLauncher"]["config"]["k8sRunLauncher"]
    assert code["includeConfigInLaunchedRuns"] == {"enabled": True}
    of_a_run = {secret["name"] for secret in code["envSecrets"] + launcher["envSecrets"]}
    (container,) = command_pod["containers"]
    assert secrets_of(container) == of_a_run == {"perfcopilot-database", "perfcopilot-asana"}
    image = code["image"]
    assert container["image"] == f"{image['repository']}:{image['tag']}"
    assert code["securityContext"].items() <= container["securityContext"].items()
    assert container["resources"] == code["resources"]


def test_no_other_pod_of_kubernetes_has_a_token() -> None:
    values = read("deploy/kubernetes.yaml")
    (code,) = values["dagster-user-deployments"]["deployments"]
    for pod in (values["dagsterWebserver"], values["dagsterDaemon"], code):
        assert "perfcopilot-asana" not in str(pod)


def test_a_command_in_kubernetes_changes_the_partitions_that_the_chart_serves(command_pod: dict[str, Any]) -> None:
    (container,) = command_pod["containers"]
    home = next(variable["value"] for variable in container["env"] if variable["name"] == "DAGSTER_HOME")
    mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in command_pod["volumes"]}
    assert volumes[mounted[f"{home}/dagster.yaml"]]["configMap"] == {"name": "goals-dagster-instance"}
    assert set(mounted.values()) == volumes.keys()
    secret = read("deploy/kubernetes.yaml")["global"]["postgresqlSecretName"]
    assert {"name": secret, "key": "postgresql-password"} in [
        variable["valueFrom"]["secretKeyRef"] for variable in container["env"] if "valueFrom" in variable
    ]


def commands_of_the_page() -> list[list[str]]:
    """Every command of the product on deploy/README.md, for Kubernetes (as sed writes it into the Job) and Compose."""
    page = (DEPLOY / "README.md").read_text("utf-8").replace("\\\n", " ")
    in_jobs = [yaml.safe_load(f"[{given}]") for given in re.findall(r"^goals '([^']+)'", page, re.MULTILINE)]
    in_workers = [shlex.split(given) for given in re.findall(r"worker\s+perfcopilot-goals ([^\n`]+)", page)]
    assert len(in_jobs) > 4
    assert len(in_workers) > 4
    return in_jobs + in_workers


@pytest.mark.parametrize("command", commands_of_the_page(), ids=" ".join)
def test_each_command_of_the_page_is_one_that_the_program_takes(command: list[str]) -> None:
    """`--help` is looked at after the options before it were read, so an option that does not exist fails."""
    options = [word for word in command if word.startswith("--")]
    names = command[: 2 if command[0] in ("connection", "employee") else 1]
    page = CliRunner().invoke(main, [*names, "--help"])
    assert page.exit_code == 0, page.output
    assert [option for option in options if option not in page.output] == []


def test_the_page_writes_a_command_into_the_job_where_one_stands() -> None:
    page = (DEPLOY / "README.md").read_text("utf-8")
    (edit,) = re.findall(r'sed "(s\|[^ ]+\|\$1\|)"', page)
    script = f'edit() {{ sed "{edit}" {COMMAND}; }}; edit \'"connection", "check", "acme"\''
    done = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    (container,) = yaml.safe_load(done.stdout)["spec"]["template"]["spec"]["containers"]
    assert container["command"] + container["args"] == ["perfcopilot-goals", "connection", "check", "acme"]


@pytest.mark.parametrize(
    ("key", "model"),
    [("securityContext", k8s.V1SecurityContext), ("resources", k8s.V1ResourceRequirements)],
    ids=["securityContext", "resources"],
)
def test_what_the_values_hand_to_kubernetes_is_of_its_schema(key: str, model: type) -> None:
    values = read("deploy/kubernetes.yaml")
    pods = [values["dagsterWebserver"], values["dagsterDaemon"], *values["dagster-user-deployments"]["deployments"]]
    given = [pod[key] for pod in pods if key in pod]
    assert given
    for part in given:
        k8s_snake_case_dict(model, part)
    k8s_snake_case_dict(
        k8s.V1JobSpec, values["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]["jobSpecConfig"]
    )
    k8s_snake_case_dict(k8s.V1Probe, values["dagsterWebserver"]["readinessProbe"])


@pytest.mark.skipif(shutil.which("helm") is None, reason="needs helm, and the chart's repository")
def test_the_chart_renders_the_values() -> None:
    chart = ["--repo", "https://dagster-io.github.io/helm", "dagster", "--version", "1.13.27"]
    command = ["helm", "template", "goals", *chart, "--values", str(DEPLOY / "kubernetes.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "failed to fetch" in done.stderr or "cannot be reached" in done.stderr:
        pytest.skip("the chart's repository cannot be reached")
    assert done.returncode == 0, done.stderr
    rendered = [document for document in yaml.safe_load_all(done.stdout) if document]
    names = {document["metadata"]["name"] for document in rendered if document["kind"] == "ConfigMap"}
    assert "goals-dagster-instance" in names
    deployments = [document for document in rendered if document["kind"] == "Deployment"]
    assert len(deployments) == 3
    for deployment in deployments:
        assert "perfcopilot-asana" not in str(deployment["spec"]["template"]["spec"].get("containers"))
