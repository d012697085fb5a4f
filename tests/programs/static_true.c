// A statically linked program: no dynamic linker, so nothing can be preloaded into it.
int main(void)
{
    return 0;
}
