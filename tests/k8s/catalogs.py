"""Catalogs for the chart: the example's, a small one that sets every key, and four games with 180 models."""

from __future__ import annotations

from pathlib import Path

from k8s.render import EXAMPLE

__all__ = ["EXAMPLE", "everything", "many", "small"]

_HEAD = """\
game: {game}
features: {{store: dynamodb, table: players, region: eu-west-1}}
context: {{platform: text}}
callers: {{anyone: true}}
"""

_EVERYTHING = """\
image: registry.example.com/mesh/worker@sha256:{digest}
replicas: {{min: 3, max: 30}}
resources: {{cpu: 1, cpu_limit: "2", memory: 512Mi}}
hpa: {{cpu_percent: 70, behavior: {{scaleUp: {{stabilizationWindowSeconds: 30, tolerance: 0.05}}}}}}
pod:
  env: {{ANSWER: {{valueFrom: {{secretKeyRef: {{name: answers, key: answer}}}}}}}}
  volumes: {{ca: {{mount: /etc/ca, source: {{configMap: {{name: ca}}}}}}}}
supervisor:
  pod:
    annotations: {{team.example.com/tier: front}}
    volumes: {{extra: {{mount: /extra, sub_path: a, read_only: false, source: {{emptyDir: {{}}}}}}}}
  replicas: {{max: 5}}
  schedule: [{{cron: "30 17 * * mon-fri", tz: Europe/Berlin, hours: 5, min: 4}}]
  hpa: {{behavior: {{scaleDown: {{selectPolicy: Min}}}}}}
kubernetes:
  discovery: dns
  log_format: json
  tracing: {{to: "otel.observability:4317", share: 5}}
  files: {{persistentVolumeClaim: {{claimName: files}}}}
  image_pull_secrets: [registry]
  service_account_annotations: {{eks.amazonaws.com/role-arn: "arn:aws:iam::1:role/mesh"}}
  env:
    AWS_ENDPOINT_URL_S3: "http://s3:9000"
    ANSWER: "42"
    NODE: {{valueFrom: {{fieldRef: {{fieldPath: spec.nodeName}}}}}}
  image_registry: r.example.com:5000/team
  labels: {{team: live-ops}}
  annotations: {{sidecar.istio.io/inject: "false"}}
  secrets: [aws]
  node_selector: {{pool: mesh}}
  tolerations: [{{key: mesh, operator: Exists}}]
  priority_class: high
  network_policies: {{callers: [{{podSelector: {{matchLabels: {{app: backend}}}}}}], ports: [443],
    api_server: [10.0.0.1/32], stores: [52.94.0.0/22, "2600:1f00::/24"],
    collector: [{{namespaceSelector: {{}}, podSelector: {{matchLabels: {{app: otel}}}}}}], collector_port: 14317}}
  monitoring: {{enabled: true, labels: {{release: prometheus}}}}
  tls: {{cert_manager: {{issuer: {{name: mesh, kind: ClusterIssuer}}, duration: 24h, renew_before: 8h}}, metrics: true}}
versions:
  "2026-10-01":
    replicas: {{max: 40}}
    engine: lightgbm
    models:
      - name: whales
        uri: s3://m/w.txt
        sha256: "{digest}"
        golden: s3://m/w.golden.jsonl
        golden_sha256: "{digest}"
        schedule:
          - {{cron: "0 18 * * *", tz: Europe/Berlin, hours: 4, min: 12}}
          - {{cron: "0 8 * * 6,0", hours: 9, min: 7}}
        image: mesh/worker
        pod:
          node_selector: {{gpu: "no"}}
          tolerations: []
          affinity: {{nodeAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: {{nodeSelectorTerms: [
            {{matchExpressions: [{{key: disk, operator: In, values: [ssd]}}]}}]}}}}}}
          image_pull_secrets: [whales]
          priority_class: whales
          labels: {{cost-center: "7"}}
      - {{name: "1e3", uri: models/m.txt, hpa: {{behavior: {{scaleUp: {{stabilizationWindowSeconds: 0}}}}}}}}
      - {{name: "on", uri: /models/m.txt, replicas: {{min: 4}}, signal: in_flight, in_flight: {{rows: 24}}}}
      - name: "0x1f"
        uri: s3://m/f.txt
        signal: in_flight
        in_flight: {{keda: {{prometheus: "http://prometheus:9090", authentication: token}}}}
        schedule: [{{cron: "0 18 * * *", tz: Europe/Berlin, hours: 4, min: 5}}]
      - name: pods
        engine: auto
        uri: s3://m/p.txt
        hpa:
          metrics:
            - {{type: Resource, resource: {{name: memory, target: {{type: AverageValue, averageValue: 200Mi}}}}}}
            - type: Pods
              pods: {{metric: {{name: queue}}, target: {{type: AverageValue, averageValue: 3}}}}
            - type: External
              external:
                metric: {{name: rows, selector: {{matchExpressions: [{{key: a, operator: In, values: [b]}}]}}}}
                target: {{type: Value, value: 100}}
            - type: Object
              object:
                describedObject: {{apiVersion: v1, kind: Service, name: dragonfall}}
                metric: {{name: hits}}
                target: {{type: Value, value: 1500m}}
"""


def everything(folder: Path) -> Path:
    """Writes a catalog that sets every key for the cluster."""
    file = folder / "everything.yaml"
    file.write_text(_HEAD.format(game="everything") + _EVERYTHING.format(digest="0" * 64), encoding="utf-8")
    return file


def head(game: str) -> str:
    """The keys that every catalog for the chart needs, except the versions."""
    return f"{_HEAD.format(game=game)}{_open('')}\n"


def small(folder: Path, more: str = "", model: str = "") -> Path:
    """Writes a catalog of two models; `more` adds keys to the game, `model` to the first model.

    Everyone may call, unless `more` has network policies.
    """
    file = folder / "small.yaml"
    extra = f", {model}" if model else ""
    models = f"[{{name: whales, uri: s3://m/w.txt{extra}}}, {{name: minnows, uri: s3://m/m.txt}}]"
    text = f'{_HEAD.format(game="small")}versions: {{"1": {{models: {models}}}}}\n{_open(more)}\n'
    file.write_text(text, encoding="utf-8")
    return file


def _open(more: str) -> str:
    """Returns `more` with network policies that admit every caller."""
    if "network_policies" in more:
        return more
    policies = "network_policies: {callers: anyone}"
    if "kubernetes: {" in more:
        return more.replace("kubernetes: {", f"kubernetes: {{{policies}, ", 1)
    return f"{more}\nkubernetes: {{{policies}}}"


def many(folder: Path, games: int = 4, versions: int = 3, models: int = 15) -> list[Path]:
    """Writes the catalogs of `games` games."""
    return [_one_of_many(folder, f"game-{number}", versions, models) for number in range(games)]


def _one_of_many(folder: Path, game: str, versions: int, models: int) -> Path:
    file = folder / f"{game}.yaml"
    lines = [_HEAD.format(game=game), _open(""), "versions:"]
    for version in range(versions):
        lines += [f'  "2026-{10 + version}":', f"    traffic: {100 if version == 0 else 0}", "    models:"]
        lines += [f"      - {{name: model-{n}, uri: s3://models/{version}/{n}.txt}}" for n in range(models)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file
