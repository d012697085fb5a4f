// A pool inside a C++ program: a class whose functions are not exported, and that throws.
#include <cstdio>
#include <stdexcept>
#include <string>

class Pool
{
  public:
    __attribute__((noinline)) int *get(bool fail);
    __attribute__((noinline)) void put(int *handle);
    long gets = 0, puts = 0;

  private:
    int handles[100] = {};
    int out = 0;
};

int *Pool::get(bool fail)
{
    if (fail)
        throw std::runtime_error("empty after " + std::to_string(gets));
    gets++;
    return &handles[out++];
}

void Pool::put(int *handle)
{
    *handle += 1;
    puts++;
    out--;
}

int main()
{
    Pool pool;
    int caught = 0;
    for (int i = 0; i < 30; i++) {
        try {
            int *handle = pool.get(i % 10 == 9);
            if (i % 10 != 5)
                pool.put(handle);
        } catch (const std::runtime_error &error) {
            caught += error.what()[0] == 'e';
        }
    }
    std::printf("gets=%ld puts=%ld caught=%d\n", pool.gets, pool.puts, caught);
    return 0;
}
