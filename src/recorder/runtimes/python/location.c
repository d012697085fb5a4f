// File, line and qualified name of a Python instruction: the slow path behind the cache of
// frames.c.
//
// Reads objects that the calling thread's own frames keep alive and that never change, so that the
// GIL is not needed; only the qualified names of 3.8 to 3.10, which code objects do not have yet,
// are looked up with the GIL where it happens to be held. Runs no Python code.
#include <stdio.h>
#include <string.h>

#include "recorder/runtimes/python/frames.h"
#include "recorder/runtimes/python/layout.h"

enum { LOCATION_TEXT = 512 };

enum { TUPLE_SIZE = 16, TUPLE_ITEMS = 24 };

// The function behind a class attribute: itself, or what a classmethod or the like wraps. Borrowed.
static PyObject *plain_function(PyObject *attribute)
{
    if (attribute && attribute->type != py.PyFunction_Type &&
        (attribute->type == py.PyClassMethod_Type || attribute->type == py.PyStaticMethod_Type))
        attribute = python_at(attribute, 16); // cm_callable, sm_callable
    return attribute && attribute->type == py.PyFunction_Type ? attribute : NULL;
}

// The class in whose body the code stands: one of the bases of `type`. Writes "Class.method".
static bool qualify_by_class(PyObject *type, const PyObject *code, PyObject *name, char *text)
{
    PyObject *bases = python_at(type, PYTHON_TYPE_MRO);
    if (!bases)
        return false;
    ssize_t count = (ssize_t)python_at(bases, TUPLE_SIZE);
    for (ssize_t i = 0; i < count; i++) {
        PyObject *dict = python_at(python_at(bases, TUPLE_ITEMS + 8 * (int)i), PYTHON_TYPE_DICT);
        PyObject *function = plain_function(dict ? py.PyDict_GetItem(dict, name) : NULL);
        if (!function || python_at(function, python_layout->function_code) != code)
            continue;
        PyObject *qualname = python_attribute(function, "__qualname__");
        bool written = python_text_copy(qualname, text, LOCATION_TEXT);
        python_drop(qualname);
        return written;
    }
    return false;
}

// The qualified name of a method, by its first argument, on versions without co_qualname.
static bool qualify(const struct python_walk_frame *frame, PyObject *name, char *text)
{
    PyObject *self = frame->locals && python_int_at(frame->code, python_layout->code_locals) > 0
                         ? python_frame_local(frame->locals, 0)
                         : NULL;
    if (!self || !python_holds_gil())
        return false;
    return qualify_by_class(self->type, frame->code, name, text) ||
           (py.PyType_IsSubtype(self->type, py.PyType_Type) &&
            qualify_by_class(self, frame->code, name, text));
}

static bool function_name(const struct python_walk_frame *frame, char *text)
{
    PyObject *name = python_at(frame->code, python_layout->code_name);
    if (python_layout->code_qualname >= 0)
        name = python_at(frame->code, python_layout->code_qualname);
    else if (qualify(frame, name, text))
        return true;
    return python_text_copy(name, text, LOCATION_TEXT);
}

// The same by the C API, for versions whose layout is not known. GIL held.
static void names_by_attributes(PyObject *code, char *file, char *function)
{
    PyObject *filename = python_attribute(code, "co_filename");
    PyObject *name = python_attribute(code, "co_qualname");
    if (!name)
        name = python_attribute(code, "co_name");
    const char *text = python_text(filename);
    snprintf(file, LOCATION_TEXT, "%s", text ? text : "");
    text = python_text(name);
    snprintf(function, LOCATION_TEXT, "%s", text ? text : "");
    python_drop(filename);
    python_drop(name);
}

uint32_t python_location(const struct python_walk_frame *frame)
{
    char file[LOCATION_TEXT] = "", function[LOCATION_TEXT] = "";
    if (atomic_load(&python_layout_trusted)) {
        PyObject *filename = python_at(frame->code, python_layout->code_filename);
        if (!python_text_copy(filename, file, sizeof file) || !function_name(frame, function))
            return TRACE_NONE;
    } else {
        names_by_attributes(frame->code, file, function);
    }
    int line = py.PyCode_Addr2Line(frame->code, frame->instruction);
    return location_intern(name_intern(file), name_intern(function), line > 0 ? (uint32_t)line : 0,
                           TRACE_PYTHON);
}
