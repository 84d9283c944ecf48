"""Kubeflow Model Registry's entities on MLMD's nodes, and the calls of its REST API (docs/kubeflow-registry.md).

Requests and answers are JSON documents; what carries them over HTTP is `mlmd_api.rest.kubeflow_registry`.

    shapes   the entities and their fields          bodies   a request's JSON, checked
    values   one value in JSON and in MLMD          nodes    entities out of nodes and back
    language, filters   `filterQuery`               pages    lists, page by page
    reads, writes, history, serving   the calls     methods  all of them, by name
"""
