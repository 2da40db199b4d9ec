import pytest

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.readers import files
from inferfleet.errors import InputError

TASK = '{"family": "f", "containerDefinitions": [{"name": "c", "image": "i:1"}]}'


def kinds_in(name, text):
    return [artifact.kind for artifact in files.read_text(name, text).artifacts]


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.json", TASK, kinds.TASK_DEFINITION),
        ("a.json", '{"serviceName": "s", "taskDefinition": "t", "desiredCount": 1}', kinds.SERVICE),
        ("a.json", '{"Version": "x", "Statement": [{"Action": "a", "Resource": "*"}]}', kinds.POLICY),
        ("a.json", '{"Statement": [{"Principal": "*", "Action": "sts:AssumeRole"}]}', kinds.TRUST_POLICY),
        ("a.json", '{"MetricName": "m", "Namespace": "n", "Threshold": 1}', kinds.ALARM),
        ("a.json", '{"widgets": []}', kinds.DASHBOARD),
        ("a.yaml", "apiVersion: v1\nkind: Service\n", kinds.MANIFEST),
        ("Dockerfile", "FROM x:1\n", kinds.DOCKERFILE),
        ("Dockerfile.gpu", "FROM x:1\n", kinds.DOCKERFILE),
        (".env", "A=1\n", kinds.ENVIRONMENT),
        ("requirements-gpu.txt", "torch\n", kinds.REQUIREMENTS),
    ],
)
def test_a_file_is_known_by_its_name_and_its_content(name, text, kind):
    assert kind in kinds_in(name, text)


def test_json_of_another_kind_is_nothing_to_us():
    assert kinds_in("package.json", '{"name": "x", "services": {}}') == []


def test_a_script_brings_what_it_writes_and_what_it_creates():
    found = kinds_in("deploy.sh", f"cat > t.json <<'EOF'\n{TASK}\nEOF\naws ecs create-cluster --cluster-name c\n")
    assert found == [kinds.TASK_DEFINITION, kinds.CLUSTER]


def test_a_guide_brings_its_blocks_indented_or_not():
    text = (
        f"# Title\n\n1. Step\n   ```json\n   {TASK}\n   ```\n\n~~~bash\naws ecs create-cluster --cluster-name c\n~~~\n"
    )
    assert sorted(kinds_in("guide.md", text)) == sorted([kinds.TASK_DEFINITION, kinds.CLUSTER])


def test_a_guide_is_a_guide_under_another_name_too():
    text = "# Title\n\n```bash\naws ecs create-cluster --cluster-name c\n```\n"
    assert kinds_in("guide.txt", text) == [kinds.CLUSTER]


def test_what_a_guide_says_of_a_file_is_read_as_the_file():
    text = "## Task definition (`ecs-task-def.json`)\n\n- **Family:** `f`\n- Memory: 2048 MB\n- GPU: 1x T4\n"
    (artifact,) = files.read_text("guide.md", text).artifacts
    assert artifact.node["family"].text == "f"
    assert artifact.node["memory"].place.line == 4
    assert artifact.node["containerDefinitions"][0]["resourceRequirements"][0]["type"].text == "GPU"


def test_cloudformation_takes_the_shape_of_the_api():
    text = """
Resources:
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: f
      TaskRoleArn: !GetAtt Role.Arn
      ContainerDefinitions:
        - {Name: c, Image: !Sub "${Repository}:1", LogConfiguration: {Options: {awslogs-group: g}}}
"""
    task = next(a for a in files.read_text("t.yaml", text).artifacts if a.kind == kinds.TASK_DEFINITION)
    assert task.node["taskRoleArn"].text == "${Role.Arn}"
    assert task.node["containerDefinitions"][0]["logConfiguration"]["options"]["awslogs-group"].text == "g"


def test_broken_json_is_a_problem_in_a_file_and_not_in_a_guide():
    assert files.read_text("a.json", '{"a": }').problems
    assert not files.read_text("a.md", '```json\n{"a": ...}\n```\n').problems


def test_folders_are_walked_without_what_others_own(tmp_path):
    for name in ("b/task.json", "a.yaml", "node_modules/x/task.json", "picture.png", "asset.1/y.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    assert [path.relative_to(tmp_path).as_posix() for path in files.find([tmp_path])] == ["a.yaml", "b/task.json"]


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such file"):
        files.find([tmp_path / "nowhere"])
