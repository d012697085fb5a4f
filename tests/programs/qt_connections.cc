// Three connections of QSqlDatabase, and one way in which each may end: qt_connections WAY.
#include <QCoreApplication>
#include <QSqlDatabase>
#include <QSqlQuery>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

static QString name_of(int n)
{
    return QString("connection %1").arg(n);
}

static void open_one(int n)
{
    QSqlDatabase db = QSqlDatabase::addDatabase("QSQLITE", name_of(n));
    db.setDatabaseName(":memory:");
    db.open(); // site: open
    QSqlQuery("select 1", db);
}

static void remove_one(int n)
{
    QSqlDatabase::removeDatabase(name_of(n));
}

static void remove_all()
{
    for (int n = 0; n < 3; n++)
        remove_one(n);
}

int main(int argc, char **argv)
{
    QCoreApplication *app = new QCoreApplication(argc, argv);
    const char *way = argc > 1 ? argv[1] : "";
    for (int n = 0; n < 3; n++) {
        open_one(n);
        if (std::strcmp(way, "removed") == 0)
            remove_one(n);
        else if (std::strcmp(way, "closed") == 0)
            QSqlDatabase::database(name_of(n)).close();
    }
    if (std::strcmp(way, "at_exit") == 0)
        std::atexit(remove_all);
    if (std::strcmp(way, "_exit") == 0)
        _exit(0);
    if (std::strcmp(way, "application") == 0)
        delete app;
    return 0;
}
