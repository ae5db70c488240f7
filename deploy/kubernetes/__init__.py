"""Manifests for Kubernetes. Those of workers and post-processors are made by a program: python -m deploy.kubernetes"""
