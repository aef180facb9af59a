from __future__ import annotations

import pytest

from orchestrator.secret import addresses_with_secrets, mask, mask_addresses, mask_arguments


@pytest.mark.parametrize(
    "text, shown",
    [
        ("postgresql://ada:hunter2@db/mlflow", "postgresql://ada:***@db/mlflow"),
        ("https://ada:a@b:c@host:5000/x?y=1#z", "https://ada:***@host:5000/x?y=1#z"),
        ("https://:hunter2@host", "https://:***@host"),
        ("https://host/api?api_key=hunter2&page=2", "https://host/api?api_key=***&page=2"),
        (
            "could not reach mysql+pymysql://ada:hunter2@db:3306/x, sorry",
            "could not reach mysql+pymysql://ada:***@db:3306/x, sorry",
        ),
        ("postgresql://ada:hun/t?e#r2@db/x", "postgresql://ada:***@db/x"),  # SQLAlchemy takes all of that but an @
        ("https://a:hunter2@h,http://b:hunter2@i", "https://a:***@h,http://b:***@i"),
        ("https://ghp_hunter2@github.com/x.git", "https://***@github.com/x.git"),
        ("https://h/x?sv=1&sig=hunter2&X-Amz-Signature=hunter2", "https://h/x?sv=1&sig=***&X-Amz-Signature=***"),
        ("postgresql://h/x?password=hun,ter2&sslmode=require", "postgresql://h/x?password=***&sslmode=require"),
        ("ssh://git@github.com/x.git", "ssh://git@github.com/x.git"),
        ("http://127.0.0.1:5000/p?mail=a@b", "http://127.0.0.1:5000/p?mail=a@b"),
        ("NIGHT_TOKEN=hunter2", "NIGHT_TOKEN=***"),
        ("NIGHT_TOKEN=hun,ter2", "NIGHT_TOKEN=***"),
        ("token=hunter2,lr=3", "token=***,lr=3"),
        ('{"password": "hun ter2", "lr": 3}', '{"password": "***", "lr": 3}'),
        ("Authorization: Bearer hunter2hunter2hunter2", "Authorization: *** ***"),
        ("password authentication failed", "password authentication failed"),
        ("db.password: hunter2", "db.password: ***"),
        ("sqlite:////home/ada/runs/mlflow.db", "sqlite:////home/ada/runs/mlflow.db"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("mail ada@example.org at 10:30", "mail ada@example.org at 10:30"),
        ("space.tokens_per_line", "space.tokens_per_line"),
    ],
)
def test_secrets_are_masked_and_nothing_else(text: str, shown: str) -> None:
    assert mask(text) == shown


def test_a_secret_in_a_word_of_its_own_is_masked() -> None:
    words = ["run", "s.yaml", "--api-key", "hunter2", "--set", "tracking.uri=https://ada:hunter2@host", "--smoke"]
    assert mask_arguments(words) == [
        "run", "s.yaml", "--api-key", "***", "--set", "tracking.uri=https://ada:***@host", "--smoke",
    ]  # fmt: skip


def test_an_option_after_a_flag_is_no_secret() -> None:
    assert mask_arguments(["--token", "--smoke"]) == ["--token", "--smoke"]


def test_code_in_a_traceback_is_not_taken_for_a_secret() -> None:
    line = "    tokens: list = tokenize(text)  # of postgresql://ada:hunter2@db/x"
    assert mask_addresses(line) == line.replace("hunter2", "***")


def test_the_addresses_in_plain_data_are_found_wherever_they_stand() -> None:
    data = {
        "data": {"from": ["s3://a/b", "s3://key:hunter2@b"]},
        "uri": "https://host?token=hunter2",
        "lr": 1,
        "n": None,
    }
    assert list(addresses_with_secrets(data)) == [
        ("data.from[1]", "s3://key:***@b"), ("uri", "https://host?token=***"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "piece",
    ["a", "a.", "token", "token=", "token: '", "token ", '"', ",", "token=,a", "://a:", "://a@", "?key_"],
)
def test_no_text_takes_long(piece: str) -> None:
    mask(piece * (200_000 // len(piece)))  # in the square of its length, one of these would take hours
