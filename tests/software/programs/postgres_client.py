"""Tables, parameters, 20,000 rows each way, COPY, errors and notifications, plain and over TLS."""

import importlib
import io
import socket
import ssl
import sys

library, port, ca = sys.argv[1], int(sys.argv[2]), sys.argv[3]
module = importlib.import_module(library)
if library == "pg8000.dbapi":
    context = ssl.create_default_context(cafile=ca) if ca else None
    connection = module.connect("postgres", "localhost", port=port, timeout=60, ssl_context=context)
    assert isinstance(connection._usock, socket.socket), connection._usock
else:
    mode = "verify-full" if ca else "disable"
    connection = module.connect(
        user="postgres", host="localhost", port=port, dbname="postgres",
        sslmode=mode, sslrootcert=ca,
    )  # fmt: skip
cursor = connection.cursor()
cursor.execute("DROP TABLE IF EXISTS things")
cursor.execute("CREATE TABLE things (number integer PRIMARY KEY, text varchar, data bytea)")
rows = [(number, f"text {number} \u00fc", bytes([number % 256]) * 10) for number in range(20_000)]
for row in rows[:500]:
    cursor.execute("INSERT INTO things VALUES (%s, %s, %s)", row)
lines = "".join(f"{n}\t{text}\t\\\\x{data.hex()}\n" for n, text, data in rows[500:])
if library == "pg8000.dbapi":
    cursor.execute("COPY things FROM STDIN", stream=io.BytesIO(lines.encode()))
else:
    with cursor.copy("COPY things FROM STDIN") as copy:
        copy.write(lines)
connection.commit()
cursor.execute("SELECT * FROM things ORDER BY number")
assert [(*row[:2], bytes(row[2])) for row in cursor.fetchall()] == rows
cursor.execute("SELECT sum(number) FROM things")
assert cursor.fetchone()[0] == sum(range(20_000))
try:
    cursor.execute("INSERT INTO things VALUES (1, 'again', '')")
except module.DatabaseError:
    connection.rollback()
else:
    raise AssertionError("a duplicate key went in")
cursor.execute("SELECT repeat('x', 10000000)")
assert cursor.fetchone()[0] == "x" * 10_000_000
connection.close()
print("done on", socket.__name__)
