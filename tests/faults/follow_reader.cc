// follow_reader DIRECTORY: follows a database until it is killed. It begins a transaction and prints the
// version that this reads, then after each commit that it sees the newest LSN, one a line, unbuffered.
#include <dosql/dosql.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <string>

namespace {

using dosql::Status;

Status tell(std::uint64_t number) {
  const std::string line = fmt::format("{}\n", number);
  if (write(STDOUT_FILENO, line.data(), line.size()) == static_cast<ssize_t>(line.size())) return {};
  return dosql::Error(dosql::ErrorCode::kIo, "nobody listens");
}

Status follow(const char* directory) {
  DOSQL_ASSIGN_OR_RETURN(auto database,
                         dosql::Database::open(directory, {.mode = dosql::OpenMode::kReadOnly}));
  DOSQL_ASSIGN_OR_RETURN(auto connection, database.connect());
  DOSQL_RETURN_IF_ERROR(connection.exec("BEGIN"));
  DOSQL_RETURN_IF_ERROR(
      connection.query("SELECT count(*) FROM sqlite_schema").and_then(dosql::ignore_result));
  DOSQL_RETURN_IF_ERROR(tell(connection.version()));
  for (std::uint64_t seen = 0;;) {
    DOSQL_ASSIGN_OR_RETURN(seen, database.wait_for_commit(seen, std::chrono::hours(1)));
    DOSQL_RETURN_IF_ERROR(tell(seen));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const Status done = follow(argv[1]);
  std::fprintf(stderr, "follow_reader: %s\n", done.error().message().c_str());
  return 1;
}
