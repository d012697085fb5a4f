// A library that is found only through the RUNPATH of the plugin that needs it or opens it.
int dependency_answer(void);

int dependency_answer(void)
{
    return 42;
}
