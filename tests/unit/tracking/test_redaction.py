import socket

import pytest
import torch

from pose_inpaint.tracking.redaction import redact


@pytest.fixture(autouse=True)
def _machine(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 39 + "a")
    monkeypatch.setattr(socket, "gethostname", lambda: "node7.some.where")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/me", "~"),
        ("data.root=/home/me/data", "data.root=~/data"),
        ("file:///home/me/data", "file://~/data"),
        ("runs=[/home/me/a,/home/me/b]", "runs=[~/a,~/b]"),
        ("/data/home/me/a", "/data/home/me/a"),
        ("/home/me2/a", "/home/me2/a"),
        ("node7.some.where:/scratch", "HOST:/scratch"),
        ("run-on-node7", "run-on-HOST"),
        ("node71", "node71"),
        ("key=" + "0" * 39 + "a", "key=KEY"),
        ("pose_inpaint.train", "pose_inpaint.train"),
    ],
)
def test_text(text, expected):
    assert redact(text) == expected


def test_everything_else_stays_as_it_is():
    tensor = torch.rand(2)
    found = redact({"a": [1, None, ("/home/me", 2.5)], "b": {"/home/me": True}, "c": tensor})
    assert found == {"a": [1, None, ("~", 2.5)], "b": {"~": True}, "c": tensor}
    assert found["c"] is tensor


def test_a_machine_called_localhost_is_not_looked_for(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "localhost")
    assert redact("http://localhost:8080") == "http://localhost:8080"


def test_no_home_and_no_key_are_looked_for_where_there_are_none(monkeypatch):
    monkeypatch.setenv("HOME", "/")
    monkeypatch.delenv("WANDB_API_KEY")
    assert redact("/a/b") == "/a/b"
