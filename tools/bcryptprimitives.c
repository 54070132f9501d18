/* A library of Windows that older versions of Wine lack, 8.0 of Debian 12 among them, with the one
 * function of it that Rust's standard library asks for. `nox -s windows` puts it beside the tests. */

#include <windows.h>
#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length)
{
    while (length > 0) {
        ULONG part = length > MAXLONG ? MAXLONG : (ULONG)length;
        if (!RtlGenRandom(data, part))
            return FALSE;
        data += part;
        length -= part;
    }
    return TRUE;
}
