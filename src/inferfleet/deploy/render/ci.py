"""Pipelines that build, validate, plan and deploy a fleet: GitHub Actions with OIDC, and AWS CodeBuild. No keys."""

from __future__ import annotations

from pathlib import Path

from inferfleet.deploy.resolve import ResolvedFleet

_STEPS = """\
inferfleet validate .
inferfleet render fleet.yaml --format ecs --out out/ecs
inferfleet validate out/ecs
inferfleet plan --offline fleet.yaml
"""


def files(fleet: ResolvedFleet, folder: Path | None) -> dict[str, str]:
    """Renders both pipelines."""
    del folder
    return {
        ".github/workflows/deploy.yml": _github(fleet),
        "buildspec.yml": _codebuild(fleet),
        "iam-github-trust-policy.json": _trust(fleet),
    }


def _github(fleet: ResolvedFleet) -> str:
    role = f"arn:aws:iam::{fleet.account}:role/{fleet.file.name}-deploy"
    if fleet.account.startswith("$"):
        role = f"arn:aws:iam::${{{{ vars.AWS_ACCOUNT_ID }}}}:role/{fleet.file.name}-deploy"
    builds = "\n".join(f"          {line}" for line in _build_lines(fleet, "${GITHUB_SHA}"))
    checks = "\n".join(f"          {line}" for line in _STEPS.splitlines())
    deploys = "\n".join(f"          {line}" for line in _deploy_lines(fleet))
    return f"""\
# Checks every pull request, and deploys what is merged. Credentials come from OIDC and last an hour.
name: deploy
on:
  pull_request:
  push:
    branches: [main]
concurrency:
  group: deploy-${{{{ github.ref }}}}
  cancel-in-progress: false
permissions:
  contents: read
  id-token: write
env:
  AWS_ACCOUNT_ID: ${{{{ vars.AWS_ACCOUNT_ID }}}}
  AWS_REGION: {fleet.region}
  IMAGE_TAG: ${{{{ github.sha }}}}
jobs:
  check:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v5
      - uses: actions/setup-python@v6
        with: {{python-version: "3.12"}}
      - run: pip install 'inferfleet[lint]'
      - name: Validate and plan
        run: |
{checks}
  deploy:
    needs: check
    if: github.event_name == 'push'
    environment: production
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v5
      - uses: actions/setup-python@v6
        with: {{python-version: "3.12"}}
      - run: pip install 'inferfleet[deploy]'
      - uses: aws-actions/configure-aws-credentials@v5
        with:
          role-to-assume: {role}
          aws-region: {fleet.region}
      - name: Build and push
        run: |
{builds}
      - name: Deploy
        run: |
{deploys}
"""


def _codebuild(fleet: ResolvedFleet) -> str:
    checks = "\n".join(f"      - {line}" for line in _STEPS.splitlines())
    builds = "\n".join(f"      - {line}" for line in _build_lines(fleet, "${CODEBUILD_RESOLVED_SOURCE_VERSION}"))
    deploys = "\n".join(f"      - {line}" for line in _deploy_lines(fleet))
    return f"""\
# AWS CodeBuild, in privileged mode for Docker. Credentials are those of the project's service role.
version: 0.2
env:
  variables:
    AWS_REGION: {fleet.region}
phases:
  install:
    runtime-versions:
      python: "3.12"
    commands:
      - pip install 'inferfleet[lint]'
  pre_build:
    commands:
      - export AWS_ACCOUNT_ID=$(aws sts get-caller-identity --query Account --output text)
      - export IMAGE_TAG=${{CODEBUILD_RESOLVED_SOURCE_VERSION}}
{checks}
  build:
    commands:
{builds}
  post_build:
    commands:
      - test "$CODEBUILD_BUILD_SUCCEEDING" = 1
{deploys}
"""


def _build_lines(fleet: ResolvedFleet, tag: str) -> list[str]:
    registry = f"${{AWS_ACCOUNT_ID}}.dkr.ecr.{fleet.region}.amazonaws.com"
    lines = []
    for key, image in fleet.file.images.items():
        if image.build is None:
            continue
        name = f"{registry}/{image.repository or key}:{tag}"
        stage = f" --target {image.stage}" if image.stage else ""
        lines.append(f"docker build --file {image.build / image.dockerfile}{stage} --tag {name} {image.build}")
        lines.append(f"docker push {name}")
    if not lines:
        return ["echo 'every image exists already'"]
    login = f"aws ecr get-login-password | docker login --username AWS --password-stdin {registry}"
    return [login, *lines]


def _deploy_lines(fleet: ResolvedFleet) -> list[str]:
    """Registers each task definition and deploys the very revision that came back."""
    several = sum(service.target != "eks" for service in fleet.services) > 1
    lines = ["inferfleet render fleet.yaml --format ecs --out out/ecs"]
    for service in fleet.services:
        if service.target == "eks":
            continue
        source = f"out/ecs/{service.key}/" if several else "out/ecs/"
        lines += [
            f"envsubst < {source}ecs-task-def.json > task.json",
            "REVISION=$(aws ecs register-task-definition --cli-input-json file://task.json"
            " --query taskDefinition.taskDefinitionArn --output text)",
            f"aws ecs update-service --cluster {fleet.cluster} --service {service.names.service}"
            ' --task-definition "$REVISION"',
            f"aws ecs list-service-deployments --cluster {fleet.cluster} --service {service.names.service}",
        ]
    return lines


def _trust(fleet: ResolvedFleet) -> str:
    """The trust policy of the role that the workflow takes: one repository, one environment."""
    provider = f"arn:aws:iam::{fleet.account}:oidc-provider/token.actions.githubusercontent.com"
    return f"""\
{{
  "Version": "2012-10-17",
  "Statement": [
    {{
      "Effect": "Allow",
      "Principal": {{"Federated": "{provider}"}},
      "Action": "sts:AssumeRoleWithWebIdentity",
      "Condition": {{
        "StringEquals": {{
          "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
          "token.actions.githubusercontent.com:sub": "repo:${{GITHUB_REPOSITORY}}:environment:production"
        }}
      }}
    }}
  ]
}}
"""
