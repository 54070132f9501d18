"""The socket class."""

from io import BufferedReader, BufferedRWPair, BufferedWriter, IOBase, TextIOWrapper
from typing import IO, Literal, NoReturn, overload
from typing_extensions import Self

from ._files import SocketIO
from ._socket import Socket

class socket(Socket):
    def __enter__(self) -> Self: ...
    def __exit__(self, *args: object) -> None: ...
    def __getstate__(self) -> NoReturn: ...
    def __del__(self) -> None: ...
    def dup(self) -> Self: ...
    def get_inheritable(self) -> bool: ...
    def set_inheritable(self, inheritable: bool) -> None: ...
    # A size of 0 is an int as well: it is the first signature that fits which counts.
    @overload
    def makefile(  # type: ignore[overload-overlap]
        self,
        mode: Literal["b", "rb", "br", "wb", "bw", "rwb", "rbw", "wrb", "wbr", "brw", "bwr"],
        buffering: Literal[0],
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> SocketIO: ...
    @overload
    def makefile(
        self,
        mode: Literal["rwb", "rbw", "wrb", "wbr", "brw", "bwr"],
        buffering: int | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> BufferedRWPair: ...
    @overload
    def makefile(
        self,
        mode: Literal["rb", "br", "b"],
        buffering: int | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> BufferedReader: ...
    @overload
    def makefile(
        self,
        mode: Literal["wb", "bw"],
        buffering: int | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> BufferedWriter: ...
    @overload
    def makefile(
        self,
        mode: Literal["r", "w", "rw", "wr", ""] = "r",
        buffering: int | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> TextIOWrapper: ...
    @overload
    def makefile(
        self,
        mode: str,
        buffering: int | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IOBase: ...
    def sendfile(self, file: IO[bytes], offset: int = 0, count: int | None = None) -> int: ...

    # Private, under the names that the standard library has for them.
    def _check_sendfile_params(self, file: IO[bytes], offset: int, count: int | None) -> None: ...
    def _sendfile_use_sendfile(
        self, file: IO[bytes], offset: int = 0, count: int | None = None
    ) -> int: ...
    def _sendfile_use_send(
        self, file: IO[bytes], offset: int = 0, count: int | None = None
    ) -> int: ...
