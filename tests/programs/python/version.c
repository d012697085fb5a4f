// Preloaded in front of CPython: another answer to the question which version it is, so that the
// versions can be tested that are not on the machine. PYTHON_VERSION_SAID: the answer.
#include <stdlib.h>

const char *Py_GetVersion(void);

const char *Py_GetVersion(void)
{
    return getenv("PYTHON_VERSION_SAID");
}
