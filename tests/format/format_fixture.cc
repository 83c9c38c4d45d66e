// Writes the fixture databases of the present format into a new folder. See README.md.

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/format/fixture_content.h"

namespace {

namespace fs = std::filesystem;
using namespace dosql;

// REQUIRES: a new path. Does not close the database when `close` is false.
void write_database(const fs::path& path, bool close) {
  Options options;
  options.pool_bytes = 0;
  Database database = Database::open(path.string(), options).value();
  {
    Connection connection = database.connect().value();
    for (const std::string& sql : format_test::fixture_statements()) connection.exec(sql).value();
    std::ofstream expected(path.parent_path() / (path.filename().string() + ".expected.txt"));
    for (const std::string& line : format_test::describe_versions(database).value()) expected << line << '\n';
  }
  if (close) database.close().value();
  if (!close) ::_exit(0);
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count != 2) {
    fmt::print(stderr, "usage: format_fixture NEWFOLDER\n");
    return 1;
  }
  const fs::path folder = fs::absolute(arguments[1]);
  if (!fs::create_directory(folder)) {
    fmt::print(stderr, "format_fixture: '{}' exists\n", folder.string());
    return 1;
  }
  write_database(folder / "closed", true);
  const pid_t child = fork();
  if (child == 0) write_database(folder / "killed", false);
  int status = 0;
  waitpid(child, &status, 0);
  for (const char* name : {"closed", "killed"}) fs::remove(folder / name / "lock");
  return status == 0 ? 0 : 1;
}
