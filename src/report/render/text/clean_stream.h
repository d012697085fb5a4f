// Streams that let nothing through which would drive a terminal: see shared/clean.h.
//
// What is printed here is cleaned on its way out, whoever prints it and whatever the format: that
// no message forgets it does not depend on who writes the message. Newlines pass: a text that must
// stay on its line is cleaned before it is printed (sheet_clean).
//
// Knows nothing of what is printed. Not thread-safe beyond what stdio is.
#ifndef UNCLOSED_REPORT_RENDER_TEXT_CLEAN_STREAM_H
#define UNCLOSED_REPORT_RENDER_TEXT_CLEAN_STREAM_H

#include <stdbool.h>
#include <stdio.h>

// A stream that writes to `under`, cleaned; line by line if `line_buffered`. fclose ends it and
// flushes `under`, which stays open. Never NULL: ends the process if there is no memory left.
FILE *clean_stream_open(FILE *under, bool line_buffered);

// people: what is printed from now on is text for people, so that in a locale whose character set
// is not UTF-8 (setlocale, LC_CTYPE) only ASCII is let through: "|" for a middle dot, "u" for a
// micro sign, "?" for a character without a form in ASCII. Otherwise, and to begin with, all is
// UTF-8. Does nothing if `stream` is no clean stream.
void clean_stream_for_people(FILE *stream, bool people);

// The stream under a clean one, for what is no text of others (colours, a terminal's own codes, a
// format that is not text). `stream` itself if it is none.
FILE *clean_stream_under(FILE *stream);

#endif
