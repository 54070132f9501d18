"""Tables, parameters, 20,000 rows each way, a value of 10 MB, errors; plain and over TLS."""

import socket
import sys

import pymysql

port, ca = int(sys.argv[1]), sys.argv[2]
options = {"ssl_ca": ca, "ssl_verify_cert": True, "ssl_verify_identity": True} if ca else {}
connection = pymysql.connect(
    host="localhost", port=port, user="root", connect_timeout=60, read_timeout=60, **options
)
assert isinstance(connection._sock, socket.socket), connection._sock
with connection.cursor() as cursor:
    cursor.execute("CREATE DATABASE IF NOT EXISTS tried")
    cursor.execute("USE tried")
    cursor.execute("DROP TABLE IF EXISTS things")
    cursor.execute("CREATE TABLE things (number int PRIMARY KEY, text varchar(99), data blob)")
    rows = [(number, f"text {number}", bytes([number % 256]) * 10) for number in range(20_000)]
    cursor.executemany("INSERT INTO things VALUES (%s, %s, %s)", rows)
    connection.commit()
    cursor.execute("SELECT * FROM things ORDER BY number")
    assert list(cursor.fetchall()) == rows
    for number in range(0, 20_000, 100):
        cursor.execute("SELECT data FROM things WHERE number = %s", (number,))
        assert cursor.fetchone() == (bytes([number % 256]) * 10,)
    try:
        cursor.execute("INSERT INTO things VALUES (1, 'again', '')")
    except pymysql.err.IntegrityError:
        connection.rollback()
    else:
        raise AssertionError("a duplicate key went in")
    cursor.execute("SELECT repeat('x', 10000000)")
    assert cursor.fetchone() == ("x" * 10_000_000,)
with connection.cursor(pymysql.cursors.SSCursor) as cursor:
    cursor.execute("SELECT number FROM tried.things ORDER BY number")
    assert [number for (number,) in cursor] == list(range(20_000))
connection.close()
print("done on", socket.__name__)
