// Whether clang has its fuzzer and sanitizers here: this links, or there is no fuzzing.
int LLVMFuzzerTestOneInput(void);

int LLVMFuzzerTestOneInput(void)
{
    return 0;
}
