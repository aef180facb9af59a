from __future__ import annotations

import pytest

from orchestrator.secret import mask, mask_arguments


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
        ("NIGHT_TOKEN=hunter2", "NIGHT_TOKEN=***"),
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
