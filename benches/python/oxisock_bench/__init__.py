"""The benchmark of oxisock: every operation on both socket modules, and without Python at all.

`row` says what a row is, `rows/` defines them group by group, `measure` times them, `report` and
`plot` show the results, `cli` is the command.
"""
