"""Renders and lints the chart with Helm's own engine, and checks what comes out against the schemas of Kubernetes.

Reads {"chart": folder, "kubernetes": [version, …], "values": {…} or a file} from the standard input; writes
{"lint": […], "objects": […], "notes": text, "problems": […]} or {"error": text}.
"""
import json
import sys

import helm_python as helm
import kubernetes_validate
import yaml

CUSTOM = ("monitoring.coreos.com/", "gateway.networking.k8s.io/")


def main():
    request = json.load(sys.stdin)
    values = request["values"]
    if isinstance(values, str):
        with open(values, encoding="utf-8") as file:
            values = yaml.safe_load(file)
    versions = request["kubernetes"]
    lint = helm.lint(request["chart"], values, strict=True)
    with helm.Chart.load(request["chart"]) as chart:
        chart.validate_schema(values)
        rendered = chart.render(values, name="demo", namespace="prod")
    notes = "".join(text for path, text in rendered.items() if path.endswith("NOTES.txt"))
    objects = [
        document
        for path, text in sorted(rendered.items())
        if path.endswith(".yaml")
        for document in yaml.safe_load_all(text)
        if document is not None
    ]
    problems = []
    for document in objects:
        if document["apiVersion"].startswith(CUSTOM):
            continue
        for version in versions:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except Exception as error:  # its own kinds of error have no common base
                problems.append(f"{document['kind']} in {version}: {error}")
    return {"lint": lint["messages"] + lint["errors"], "objects": objects, "notes": notes, "problems": problems}


try:
    print(json.dumps(main()))
except helm.HelmError as error:
    print(json.dumps({"error": str(error)}))
