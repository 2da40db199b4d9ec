from inferfleet.deploy.lint.excerpt import SourceText
from inferfleet.deploy.readers.shell import ShellReader


def read(text):
    reader = ShellReader()
    reader.read(SourceText("x.sh", text).excerpt())
    return reader.script


def words(text):
    return [command.texts for command in read(text).commands]


def test_quotes_escapes_and_continued_lines_come_out_as_the_shell_passes_them():
    assert words('aws ecs x --a \'b c\' --d "e \\"f\\"" \\\n  --g h\\ i') == [
        ["aws", "ecs", "x", "--a", "b c", "--d", 'e "f"', "--g", "h i"]
    ]


def test_constants_are_filled_in_and_the_rest_stays_open():
    script = (
        'NAME=vision\nexport REGION="eu-west-1"\nARN=$(aws sts get-caller-identity)\necho $NAME ${REGION} $ARN $OTHER'
    )
    assert words(script)[-1] == ["echo", "vision", "eu-west-1", "${ARN}", "${OTHER}"]


def test_a_loop_variable_is_not_a_constant():
    assert words("X=1\nfor X in a b; do echo $X; done")[-1] == ["echo", "${X}"]


def test_the_commands_inside_substitutions_count_and_know_their_variable():
    script = read("IMAGE=$(aws ecr describe-images --repository-name x | jq -r .a)")
    assert [(command.name, command.assigned_to) for command in script.commands] == [("aws", "IMAGE"), ("jq", "IMAGE")]


def test_an_unquoted_heredoc_is_filled_in_and_a_quoted_one_is_not():
    script = read("A=1\ncat > x.json <<EOF\n{\"a\": $A}\nEOF\ncat > y.sh <<'EOF'\necho $A\nEOF\n")
    assert [(file.name, file.content.text.strip(), file.quoted) for file in script.files] == [
        ("x.json", '{"a": 1}', False),
        ("y.sh", "echo $A", True),
    ]


def test_cat_appends_to_the_file_that_was_written_before():
    script = read("cat > a.py <<'EOF'\none\nEOF\ncat >> a.py <<'EOF'\ntwo\nEOF\n")
    (file,) = script.files
    assert file.content.text.split() == ["one", "two"]
    assert [file.content.place(file.content.text.index(word)).line for word in ("one", "two")] == [2, 5]


def test_places_survive_quotes_and_letters_of_several_bytes():
    text = "echo 'ü' # ä\naws ecs x --name \"größe\" --tags 'a'\n"
    command = read(text).commands[1]
    place = command.words[-1].place(0)
    assert (place.line, text.split("\n")[1][place.column - 1]) == (2, "a")


def test_the_sixth_field_of_an_arn_is_known_by_its_form():
    script = "ALB_ARN=$(aws elbv2 create-load-balancer --name x --query 'LoadBalancers[0].LoadBalancerArn')\n"
    for cut in ("awk -F: '{print $6}'", "cut -d: -f6"):
        assert words(f"{script}echo $(echo $ALB_ARN | {cut})")[-1] == ["echo", "loadbalancer/app/${name}/${id}"]


def test_uses_are_in_order_and_know_functions():
    script = read("deploy() { echo $LATER; }\necho $EARLY\nEARLY=$(date)\nLATER=$(date)\n")
    assert [(use.name, use.in_function) for use in script.uses] == [("LATER", True), ("EARLY", False)]


def test_broken_shell_is_read_as_far_as_it_goes():
    assert ["aws", "ecs", "list-clusters"] in words("aws ecs list-clusters\nif then (((\n")
