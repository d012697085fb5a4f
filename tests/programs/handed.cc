// A session in an object that closes it: who makes the object, and lets go of it, is to blame.
#include <sqlite3.h>

namespace
{
class database
{
  public:
    explicit database(const char *name)
    {
        sqlite3_open(name, &db_);
    }
    ~database()
    {
        sqlite3_close(db_);
    }
    database(const database &) = delete;
    database &operator=(const database &) = delete;

  private:
    sqlite3 *db_ = nullptr;
};

__attribute__((noinline)) void scoped()
{
    const database db(":memory:"); // site: scoped
}

__attribute__((noinline)) void lost_5(int i)
{
    const auto *db = new database(":memory:"); // site: lost_5
    if (i % 3 != 2)
        delete db;
}
} // namespace

int main()
{
    for (int i = 0; i < 15; i++) {
        scoped();
        lost_5(i);
    }
}
