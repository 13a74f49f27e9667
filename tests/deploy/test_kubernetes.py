"""What kustomize makes of the overlays is taken by Kubernetes' schemas, fits together, and starts a gateway."""

import base64
import re
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from jsonschema import Draft202012Validator

from gateway.sandbox.process import free_port
from gateway.settings import load_settings
from gateway.settings.sections import Delivery
from tests.debian import program_of, run
from tests.deploy.composition import DEPLOY, image_environment, instruction
from tests.deploy.test_compose import send
from tests.readme.programs import Programs
from tests.world import World, until

pytestmark = pytest.mark.deploy

OVERLAYS = sorted(folder.name for folder in (DEPLOY / "kubernetes" / "overlays").iterdir())
VERSIONS = ("1.29", "1.32", "1.35")
MOUNTED = "/run/secrets/napcat-gateway"


def definition(required: list[str], **properties: Any) -> dict[str, Any]:
    """Return a schema of an object that has no other PROPERTIES."""
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


TEXT = {"type": "string", "minLength": 1}
LABELS = {"type": "object", "additionalProperties": {"type": "string"}}
REFERENCE = definition(["name", "key"], name=TEXT, key=TEXT)
SPECS = {
    "ServiceMonitor": definition(
        ["selector", "endpoints"],
        jobLabel=TEXT,
        selector=definition(["matchLabels"], matchLabels=LABELS),
        endpoints={
            "type": "array",
            "minItems": 1,
            "items": definition(
                ["port"],
                port=TEXT,
                path=TEXT,
                interval={"pattern": r"^\d+s$"},
                scrapeTimeout={"pattern": r"^\d+s$"},
                authorization=definition(["credentials"], type=TEXT, credentials=REFERENCE),
            ),
        },
    ),
    "ScaledObject": definition(
        ["scaleTargetRef", "triggers"],
        scaleTargetRef=definition(["name"], name=TEXT),
        minReplicaCount={"type": "integer", "minimum": 0},
        maxReplicaCount={"type": "integer", "minimum": 1},
        pollingInterval={"type": "integer"},
        cooldownPeriod={"type": "integer"},
        triggers={
            "type": "array",
            "minItems": 1,
            "items": definition(
                ["type", "metadata"],
                type={"const": "redis-streams"},
                metadata=definition(
                    ["address", "stream", "streamLength"], address=TEXT, stream=TEXT,
                    streamLength={"pattern": r"^\d+$"}, databaseIndex={"pattern": r"^\d+$"},
                ),
                authenticationRef=definition(["name"], name=TEXT),
            ),
        },
    ),
    "TriggerAuthentication": definition(
        ["secretTargetRef"],
        secretTargetRef={
            "type": "array",
            "items": definition(["parameter", "name", "key"], parameter={"const": "password"}, name=TEXT, key=TEXT),
        },
    ),
}  # fmt: skip
"""What we use of the definitions that Prometheus' operator and KEDA bring; their own schemas are nowhere to install."""


@pytest.fixture(scope="session", name="kubectl")
def _kubectl(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A kubectl whose kustomize knows components and labels; Debian 12 has an older one."""
    folder = tmp_path_factory.mktemp("debian")
    program = str(program_of("kubernetes-client", "kubectl", folder))
    told = run([program, "version", "--client", "--output", "json"], folder).stdout
    if "kustomizeVersion" not in told:
        pytest.skip("this kubectl's kustomize is too old; one of 1.24 or newer is needed")
    return program


@pytest.fixture(name="rendered")
def _rendered(request: pytest.FixtureRequest, kubectl: str) -> list[dict[str, Any]]:
    """The resources of the overlay a test is about."""
    return rendered(kubectl, request.param)


def rendered(kubectl: str, overlay: str) -> list[dict[str, Any]]:
    """Return the resources of OVERLAY."""
    done = run([kubectl, "kustomize", str(DEPLOY / "kubernetes" / "overlays" / overlay)], DEPLOY)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def of(resources: list[dict[str, Any]], kind: str, name: str = "napcat-gateway") -> dict[str, Any]:
    """Return the resource of KIND whose NAME is this one, with or without a digest."""
    (found,) = (one for one in resources if one["kind"] == kind and _plain(one["metadata"]["name"]) == name)
    return found


def _plain(name: str) -> str:
    return re.sub(r"-[a-z0-9]{10}$", "", name)


def all_overlays(test: Any) -> Any:
    """Run TEST for each overlay."""
    return pytest.mark.parametrize("rendered", OVERLAYS, indirect=True)(test)


@all_overlays
def test_the_schemas_of_kubernetes_take_every_resource(rendered: list[dict[str, Any]]) -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed: extra deploy")
    for resource in rendered:
        if resource["kind"] in SPECS:
            assert set(resource) == {"apiVersion", "kind", "metadata", "spec"}
            faults = Draft202012Validator(SPECS[resource["kind"]]).iter_errors(resource["spec"])
            assert [f"{list(fault.absolute_path)}: {fault.message}" for fault in faults] == []
            continue
        for version in VERSIONS:
            validate.validate(resource, version, strict=True)


@all_overlays
def test_what_one_resource_names_another_is(rendered: list[dict[str, Any]]) -> None:
    names = {(one["kind"], one["metadata"]["name"]) for one in rendered}
    pod = of(rendered, "Deployment")["spec"]["template"]
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    assert ("ConfigMap", volumes["config"]["configMap"]["name"]) in names
    assert ("Secret", volumes["secrets"]["secret"]["secretName"]) in names
    for kind, at in (("Deployment", "selector"), ("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        labels = of(rendered, kind)["spec"][at]["matchLabels"]
        assert labels.items() <= pod["metadata"]["labels"].items(), kind
    service = of(rendered, "Service")
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    (container,) = pod["spec"]["containers"]
    ports = {port["name"] for port in container["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for constraint in pod["spec"]["topologySpreadConstraints"]:
        assert constraint["labelSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    for monitor in (one for one in rendered if one["kind"] == "ServiceMonitor"):
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        (endpoint,) = monitor["spec"]["endpoints"]
        credentials = endpoint["authorization"]["credentials"]
        assert credentials["key"] in of(rendered, "Secret", credentials["name"])["data"]
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
        assert service["metadata"]["labels"][monitor["spec"]["jobLabel"]] == "napcat-gateway", "alerts.yaml asks for it"
    for scaled in (one for one in rendered if one["kind"] == "ScaledObject"):
        assert ("Deployment", scaled["spec"]["scaleTargetRef"]["name"]) in names
        for trigger in scaled["spec"]["triggers"]:
            assert re.fullmatch(r"[a-z0-9-]+\.[a-z0-9-]+\.svc:\d+", trigger["metadata"]["address"]), "KEDA is elsewhere"
        assert "replicas" not in of(rendered, "Deployment")["spec"], "two would decide how many there are"


@all_overlays
def test_the_built_policy_lets_the_gateway_ask_for_names_and_call_redis_and_napcat(
    rendered: list[dict[str, Any]],
) -> None:
    names, others = of(rendered, "NetworkPolicy")["spec"]["egress"]
    assert names == {"ports": [{"port": 53, "protocol": one} for one in ("UDP", "TCP")]}, "who answers has other labels"
    assert others["to"] == [{"namespaceSelector": {}}]
    assert {port["port"] for port in others["ports"]} == {6379, 26379, 3000, 3001}


@all_overlays
def test_pods_are_restricted_and_have_the_time_they_need(rendered: list[dict[str, Any]]) -> None:
    for workload in (one for one in rendered if one["kind"] in {"Deployment", "StatefulSet"}):
        pod = workload["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
            }  # fmt: skip
            assert container["resources"]["requests"]
            assert container["resources"]["limits"]["memory"]
    pod = of(rendered, "Deployment")["spec"]["template"]["spec"]
    assert f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}" == instruction("USER")
    (container,) = pod["containers"]
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1]) * 1_000
    delivery = Delivery()
    needed = pause + delivery.timeout + delivery.slack + 5_000
    assert pod["terminationGracePeriodSeconds"] * 1_000 >= needed + 5_000


@all_overlays
def test_every_secret_of_the_gateway_is_one_of_its_settings(rendered: list[dict[str, Any]], tmp_path: Path) -> None:
    laid_out(rendered, tmp_path)
    for name in ("auth__keys__0__sha256", "auth__keys__1__sha256"):
        assert (tmp_path / "secrets" / name).read_text() == "", "an example of a key would be a key for everybody"
        (tmp_path / "secrets" / name).write_text(f"{name[-9]}" * 64)
    environ = environment_of(rendered, tmp_path)
    settings = load_settings(tmp_path / "config.yaml", environ)
    assert {key.name for key in settings.auth.keys} == {"operator", "prometheus"}
    assert settings.http.host == "0.0.0.0"


async def test_what_the_manifests_say_starts_a_gateway_that_delivers(
    kubectl: str, world: World, tmp_path: Path
) -> None:
    resources = rendered(kubectl, "single")
    folder = tmp_path / "pod"
    folder.mkdir()
    laid_out(resources, folder)
    key, port = "gw_key", free_port()
    for number, one in enumerate((key, "gw_of_prometheus")):
        (folder / "secrets" / f"auth__keys__{number}__sha256").write_text(sha256(one.encode()).hexdigest())
    (folder / "secrets" / "redis__url").write_text(world.redis_url)
    (folder / "config.yaml").write_text(
        (folder / "config.yaml").read_text().replace("http://napcat:3000", world.napcat.url)
    )
    (container,) = of(resources, "Deployment")["spec"]["template"]["spec"]["containers"]
    environ = {
        "PATH": "/usr/bin:/bin", "PYTHONPATH": str(DEPLOY.parent), **environment_of(resources, folder),
        "GATEWAY_HTTP__HOST": "127.0.0.1", "GATEWAY_HTTP__PORT": str(port),
        # What Kubernetes puts beside a service of this name, should its links be on.
        "GATEWAY_SERVICE_HOST": "10.0.0.1", "GATEWAY_PORT": "tcp://10.0.0.1:8080",
    }  # fmt: skip
    programs = Programs(folder, environ, _nothing)
    async with programs.started(sys.executable, "-m", "gateway", *container["args"]) as gateway:
        url = f"http://127.0.0.1:{port}"

        async def answers(path: str) -> int:
            assert gateway.process.returncode is None, gateway.complaints
            try:
                async with aiohttp.ClientSession(url) as session, session.get(path) as answer:
                    return answer.status
            except aiohttp.ClientError:
                return 0

        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["httpGet"]["port"] == "http"
            path = container[probe]["httpGet"]["path"]
            await until(lambda path=path: answers(path), lambda status: status == 200)  # type: ignore[misc]
        assert (await send(url, key))["state"] == "delivered"
        gateway.process.terminate()
        assert await gateway.ends_within(15)
        assert gateway.process.returncode == 0, gateway.complaints


async def _nothing() -> None:
    """Nothing has to happen meanwhile."""


def laid_out(resources: list[dict[str, Any]], folder: Path) -> None:
    """Put what the pod mounts into FOLDER: `config.yaml` and `secrets`."""
    (folder / "secrets").mkdir()
    for name, text in of(resources, "ConfigMap")["data"].items():
        (folder / name).write_text(text)
    for name, text in of(resources, "Secret")["data"].items():
        (folder / "secrets" / name).write_bytes(base64.b64decode(text))


def environment_of(resources: list[dict[str, Any]], folder: Path) -> dict[str, str]:
    """Return what the gateway's container has in its environment, image and manifest."""
    (container,) = of(resources, "Deployment")["spec"]["template"]["spec"]["containers"]
    mine = image_environment() | {one["name"]: one["value"] for one in container["env"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert (mounts["config"], mounts["secrets"]) == (instruction("WORKDIR"), MOUNTED)
    mine.pop("PATH")
    return {name: value.replace(MOUNTED, str(folder / "secrets")) for name, value in mine.items()}
