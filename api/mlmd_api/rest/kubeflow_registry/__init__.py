"""Kubeflow Model Registry's REST API on HTTP; what its calls do is `mlmd_model_registry.kubeflow`."""
