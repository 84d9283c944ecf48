"""Registered models: versions, aliases and their moves, gates, approvals, deployments and webhooks."""
