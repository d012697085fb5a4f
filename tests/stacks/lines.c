// Prints the line of each instruction of a code object, as the tool sees it.
//
// Each line of standard input: minor version, first line, bytes of code, the table in hexadecimal.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stacks/python_lines.h"

int main(void)
{
    static char text[1 << 20];
    static uint8_t table[1 << 19];
    int minor, first, bytes;
    // NOLINTNEXTLINE(cert-err34-c): the test's own numbers
    while (scanf("%d %d %d %1048575s", &minor, &first, &bytes, text) == 4) {
        const size_t length = text[0] == '-' ? 0 : strlen(text) / 2;
        for (size_t i = 0; i < length; i++) {
            const char digits[3] = {text[2 * i], text[2 * i + 1], 0};
            table[i] = (uint8_t)strtoul(digits, NULL, 16);
        }
        for (int at = 0; at < bytes; at += 2)
            printf("%d ", python_line(minor, table, length, first, at));
        putchar('\n');
    }
    return 0;
}
