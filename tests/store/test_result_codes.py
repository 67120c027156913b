"""What SQLite's errors were, with the code that Python 3.11 passes on and without it, as on 3.10."""

import sqlite3

import pytest

from controller.store.sqlite.result_codes import ResultCode, result_code


def full_database(tmp_path):
    connection = sqlite3.connect(tmp_path / "small.db", isolation_level=None)
    connection.execute("PRAGMA max_page_count = 2")
    connection.execute("CREATE TABLE t (x)")
    connection.execute("INSERT INTO t VALUES (randomblob(100000))")


def no_database(tmp_path):
    (tmp_path / "text.db").write_text("no database, but long enough for a header\n" * 100)
    sqlite3.connect(tmp_path / "text.db").execute("SELECT * FROM t")


def read_only_database(tmp_path):
    sqlite3.connect(tmp_path / "ours.db").execute("CREATE TABLE t (x)")
    sqlite3.connect(f"file:{tmp_path / 'ours.db'}?mode=ro", uri=True).execute("CREATE TABLE u (x)")


def no_folder(tmp_path):
    sqlite3.connect(tmp_path / "absent" / "ours.db")


PROVOKED = {
    full_database: ResultCode.FULL,
    no_database: ResultCode.NOTADB,
    read_only_database: ResultCode.READONLY,
    no_folder: ResultCode.CANTOPEN,
}


@pytest.mark.parametrize("provoke", PROVOKED, ids=lambda item: item.__name__)
def test_an_error_has_one_code_on_every_python(tmp_path, provoke):
    with pytest.raises(sqlite3.Error) as caught:
        provoke(tmp_path)
    assert result_code(caught.value) is PROVOKED[provoke]
    without_code = type(caught.value)(str(caught.value))
    assert result_code(without_code) is PROVOKED[provoke]


def test_an_error_that_means_a_bug_has_no_code():
    with pytest.raises(sqlite3.Error) as caught:
        sqlite3.connect(":memory:").execute("SELECT * FROM absent")
    assert result_code(caught.value) is None
    assert result_code(ValueError("database or disk is full")) is None
