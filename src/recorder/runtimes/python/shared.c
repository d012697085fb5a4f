// A short list, searched from its end: a StaticPool is for tests, with few checkouts out at once.
#include "recorder/runtimes/python/shared.h"

#include <stdlib.h>

static struct shared {
    PyObject *fairy;     // borrowed: only its address is used
    PyObject *reference; // owned: so that no other gets its address
} * list;
static size_t count, room;

void python_shared_add(PyObject *fairy, PyObject *reference)
{
    if (count == room) {
        struct shared *larger = realloc(list, (room ? room * 2 : 16) * sizeof *list);
        if (!larger)
            return;
        list = larger;
        room = room ? room * 2 : 16;
    }
    py.Py_IncRef(reference);
    list[count++] = (struct shared){fairy, reference};
}

bool python_shared_any(void)
{
    return count > 0;
}

static void forget(size_t i)
{
    PyObject *reference = list[i].reference;
    list[i] = list[--count];
    py.Py_DecRef(reference);
}

bool python_shared_released(PyObject *fairy)
{
    for (size_t i = count; i-- > 0;)
        if (list[i].fairy == fairy) {
            forget(i);
            return true;
        }
    return false;
}

uint64_t python_shared_collected(PyObject *reference)
{
    for (size_t i = count; i-- > 0;)
        if (list[i].reference == reference) {
            uint64_t fairy = (uint64_t)(uintptr_t)list[i].fairy;
            forget(i);
            return fairy;
        }
    return 0;
}

uint64_t python_shared_dead(void)
{
    for (size_t i = count; i-- > 0;)
        if (py.PyWeakref_GetObject(list[i].reference) == py._Py_NoneStruct) {
            uint64_t fairy = (uint64_t)(uintptr_t)list[i].fairy;
            forget(i);
            return fairy;
        }
    return 0;
}

void python_shared_drop(void)
{
    while (count > 0)
        forget(count - 1);
}

void python_shared_forget(void)
{
    count = 0;
}
