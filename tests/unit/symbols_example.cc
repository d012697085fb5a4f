// Functions whose return addresses test_symbols looks up; it knows the numbers of these lines.
#include "symbols_example.h"

namespace
{

// Where it will return to. Not inlined, and never the last call of its caller.
__attribute__((noinline)) const void *here()
{
    return __builtin_return_address(0);
}

volatile int kept;

} // namespace

extern "C" __attribute__((noinline)) const void *example_plain(void)
{
    const void *address;
    kept = 1;
    address = here();
    kept = 2;
    return address;
}

namespace shop
{
namespace
{

__attribute__((always_inline)) inline const void *innermost()
{
    const void *address = here();
    kept = 3;
    return address;
}

} // namespace

template <typename T> struct Repo {
    __attribute__((always_inline)) static inline const void *open()
    {
        const void *address = innermost();
        kept = sizeof(T);
        return address;
    }
};
} // namespace shop

extern "C" __attribute__((noinline)) const void *example_inlined(void)
{
    const void *address = shop::Repo<int>::open();
    kept = 4;
    return address;
}

extern "C" __attribute__((noinline)) const void *example_lambda(void)
{
    auto inner = [](int number) __attribute__((noinline))
    {
        const void *address = here();
        kept = number;
        return address;
    };
    const void *address = inner(5);
    kept = 6;
    return address;
}
