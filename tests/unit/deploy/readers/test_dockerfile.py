from inferfleet.deploy.lint.excerpt import SourceText
from inferfleet.deploy.readers import dockerfile

TEXT = """\
# syntax=docker/dockerfile:1
ARG VERSION=1
FROM --platform=linux/amd64 python:3.12-slim AS base
RUN apt-get update && \\
    # a comment between
    apt-get install -y curl

FROM base as build
RUN <<EOF
echo one
EOF
FROM base
COPY --from=build /a /b
CMD ["x"]
"""


def test_stages_build_on_one_another():
    file = dockerfile.read(SourceText("Dockerfile", TEXT).excerpt())
    assert file.bases == ("python:3.12-slim", "base", "base")
    assert file.final_base == "python:3.12-slim"
    assert [item.name for item in file.final] == ["FROM", "RUN", "FROM", "COPY", "CMD"]


def test_continued_lines_and_heredocs_are_one_instruction():
    file = dockerfile.read(SourceText("Dockerfile", TEXT).excerpt())
    runs = [item for item in file.instructions if item.name == "RUN"]
    assert "install -y curl" in runs[0].argument
    assert (runs[0].place.line, runs[1].place.line) == (4, 9)
    assert "echo one" in runs[1].argument
