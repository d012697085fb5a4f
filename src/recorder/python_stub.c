#include "recorder/python.h"
atomic_bool python_found;
void python_start(void)
{
}
void python_stop(void)
{
}
