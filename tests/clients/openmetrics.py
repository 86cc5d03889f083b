"""Reads /metrics as Prometheus does: by the official parser of OpenMetrics."""

import os

import requests
from prometheus_client.openmetrics import parser

answer = requests.get(os.environ["LANYARD_METRICS"], timeout=10)
assert answer.status_code == 200, answer.status_code
kind = answer.headers["content-type"]
assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8", kind

families = {family.name: family for family in parser.text_string_to_metric_families(answer.text)}
for name, family in families.items():
    assert family.documentation, name
    assert not family.unit or name.endswith("_" + family.unit), name
    for sample in family.samples:
        for value in sample.labels.values():
            assert len(value) <= 64, sample

requests_of = families["http_server_request_duration_seconds"]
assert requests_of.type == "histogram" and requests_of.unit == "seconds"
assert any(sample.labels.get("route") == "/jwks" for sample in requests_of.samples)
assert families["process_cpu_seconds"].type == "counter"
assert families["lanyard_build"].type == "info"
