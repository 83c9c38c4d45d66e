// The `sqlite3` of the README's tour: stock SQLite, none of our code, so that the tests need no package for
// it.

#include <sqlite3.h>

#include <cstdio>

namespace {

int print_row(void*, int columns, char** values, char**) {
  for (int i = 0; i < columns; ++i) std::printf("%s%s", i == 0 ? "" : "|", values[i] ? values[i] : "");
  std::printf("\n");
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) {
    std::fprintf(stderr, "usage: stock_sqlite3 FILE SQL...\n");
    return 2;
  }
  sqlite3* db = nullptr;
  int rc = sqlite3_open_v2(arguments[1], &db, SQLITE_OPEN_READWRITE, nullptr);
  for (int i = 2; i < count && rc == SQLITE_OK; ++i)
    rc = sqlite3_exec(db, arguments[i], print_row, nullptr, nullptr);
  if (rc != SQLITE_OK) std::fprintf(stderr, "%s\n", sqlite3_errmsg(db));
  sqlite3_close(db);
  return rc == SQLITE_OK ? 0 : 1;
}
