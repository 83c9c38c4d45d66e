#include <dosql/database.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>

#include "engine/backup.h"
#include "engine/check.h"
#include "engine/connection_state.h"
#include "engine/database_core.h"
#include "engine/export.h"
#include "engine/import.h"
#include "engine/time_points.h"
#include "io/file_descriptor.h"
#include "io/posix_storage.h"

namespace dosql {

using engine::DatabaseCore;

namespace {

constexpr std::size_t npos = std::string::npos;

bool is_sqlite_file(const std::string& path) {
  io::FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 16> magic{};
  return file.is_open() && pread(file.get(), magic.data(), magic.size(), 0) == 16 &&
         std::memcmp(magic.data(), "SQLite format 3", 16) == 0;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < ' ' || c == 127; }

// As one word of a dot-command.
std::string dot_command_word(const std::string& text) {
  const auto is_plain = [](char c) { return !is_control(c) && std::string_view(" '\"\\").find(c) == npos; };
  if (std::all_of(text.begin(), text.end(), is_plain)) return text;
  const auto needs_escape = [](char c) { return is_control(c) || c == '\''; };
  if (std::none_of(text.begin(), text.end(), needs_escape)) return "'" + text + "'";
  std::string word = "\"";
  for (const char c : text) {
    if (is_control(c))
      word += fmt::format("\\{:03o}", static_cast<unsigned char>(c));
    else if (c == '"' || c == '\\')
      word += fmt::format("\\{}", c);
    else
      word += c;
  }
  return word + '"';
}

// As one word of a POSIX shell, to be pasted into one.
std::string shell_word(const std::string& text) {
  const auto is_plain = [](char c) {
    const bool special = std::string_view(" \"'\\$`!*?[](){}<>|&;#~").find(c) != npos;
    return !is_control(c) && !special;
  };
  if (std::all_of(text.begin(), text.end(), is_plain)) return text;
  if (text.find_first_of("\"\\$`!") == npos) return '"' + text + '"';
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? "'\\''" : std::string(1, c);
  return word + "'";
}

bool exists(const std::string& path) {
  struct stat about;
  return ::lstat(path.c_str(), &about) == 0;
}

std::string import_hint(const std::string& path) {
  // What begins with a dash would be an option.
  std::string name = path.starts_with('-') ? "./" + path : path;
  const std::string command = ".import-sqlite " + dot_command_word(name);
  while (name.ends_with('/')) name.pop_back();
  const std::size_t dot = name.rfind('.');
  const std::size_t slash = name.rfind('/');
  const bool has_ending =
      dot != std::string::npos && dot > 0 && (slash == std::string::npos || dot > slash + 1);
  const std::string without_ending = has_ending ? name.substr(0, dot) : name;
  const bool is_free = has_ending && !exists(without_ending);
  const std::string directory = is_free ? without_ending : without_ending + ".dosql";
  return fmt::format("import it into a new database: dosql {} {}", shell_word(directory),
                     shell_word(command));
}

// A path that is a file is a common mistake with a simple way out.
Status refuse_file(const std::string& path) {
  struct stat about;
  if (stat(path.c_str(), &about) != 0 || S_ISDIR(about.st_mode)) return {};
  if (!S_ISREG(about.st_mode) || !is_sqlite_file(path)) {
    return Error(ErrorCode::kNotADatabase,
                 fmt::format("'{}' is a file; a DoSQL database is a directory", path));
  }
  return Error(ErrorCode::kNotADatabase,
               fmt::format("'{}' is an ordinary SQLite file; a DoSQL database is a directory", path))
      .with_hint(import_hint(path));
}

bool has_plain_files(const std::string& path) {
  std::error_code failure;
  for (std::filesystem::directory_iterator entry(path, failure), end; entry != end; entry.increment(failure))
    if (entry->symlink_status(failure).type() == std::filesystem::file_type::regular) return true;
  return false;
}

// The store sees no directories, and links only where it needs their names. Who keeps such things in a
// directory does not want a database among them.
Status refuse_directory_of_others(const std::string& path) {
  std::error_code failure;
  if (std::filesystem::is_empty(path, failure) || failure) return {};
  // In this order: another process may be making the database meanwhile, and its files are listed.
  if (has_plain_files(path)) return {};
  return Error(ErrorCode::kNotADatabase,
               fmt::format("'{}' is a directory with other things, not a DoSQL database", path))
      .with_hint("name an empty or a new directory to make a database");
}

Error closed_error() { return Error(ErrorCode::kInvalidArgument, "the database is closed"); }

}  // namespace

Database::Database(std::shared_ptr<DatabaseCore> core) : core_(std::move(core)) {}

Result<Database> Database::open(const std::string& path, const Options& options) {
  DOSQL_RETURN_IF_ERROR(refuse_file(path));
  std::error_code ignored;
  const bool existed = std::filesystem::exists(path, ignored);
  const bool creates = options.mode == OpenMode::kCreateIfMissing;
  DOSQL_ASSIGN_OR_RETURN(
      auto directory,
      io::open_posix_directory(path, creates ? io::CreateDirectory::kIfMissing : io::CreateDirectory::kNo));
  if (creates && existed) DOSQL_RETURN_IF_ERROR(refuse_directory_of_others(path));
  const std::filesystem::path absolute = std::filesystem::canonical(path, ignored);
  auto core = DatabaseCore::open(std::move(directory), absolute.empty() ? path : absolute.string(), options);
  if (core) return Database(*std::move(core));
  if (!existed) rmdir(path.c_str());  // leaves it when something is in it
  return std::move(core).error();
}

const std::string& Database::path() const { return core_->path(); }
bool Database::read_only() const { return core_->read_only(); }
bool Database::created() const { return core_->created(); }

Result<Connection> Database::connect() {
  if (core_->closed()) return closed_error();
  DOSQL_ASSIGN_OR_RETURN(auto state, engine::ConnectionState::open(*core_));
  return Connection(std::move(state));
}

Result<Connection> Database::as_of(const TimePoint& point, const AsOfOptions& options) {
  DOSQL_ASSIGN_OR_RETURN(Connection connection, connect());
  DOSQL_RETURN_IF_ERROR(connection.checkout(options.branch));
  return connection.as_of(point);
}

Result<ImportResult> Database::import_sqlite(const std::string& file, const Progress& progress) {
  if (core_->closed()) return closed_error();
  return engine::import_sqlite(*core_, file, progress);
}

Result<ExportResult> Database::export_sqlite(const std::string& file, std::uint64_t version,
                                             const Progress& progress) {
  if (core_->closed()) return closed_error();
  DOSQL_RETURN_IF_ERROR(core_->store().catch_up());
  DOSQL_ASSIGN_OR_RETURN(const auto point, engine::version_to_export(core_->store(), version));
  return engine::export_sqlite(*core_, file, point, progress);
}

Result<ExportResult> Database::export_sqlite(const std::string& file, const TimePoint& point,
                                             const Progress& progress) {
  if (core_->closed()) return closed_error();
  DOSQL_ASSIGN_OR_RETURN(const auto state, engine::ConnectionState::open(*core_));
  DOSQL_ASSIGN_OR_RETURN(const auto version, engine::resolve(*state, point));
  return engine::export_sqlite(*core_, file, version, progress);
}

Result<std::vector<Problem>> Database::check(const Progress& progress) {
  if (core_->closed()) return closed_error();
  return engine::check(*core_, progress);
}

Status Database::backup(const std::string& directory, const Progress& progress) {
  if (core_->closed()) return closed_error();
  DOSQL_RETURN_IF_ERROR(core_->store().catch_up());
  return engine::backup(*core_, directory, progress);
}

Result<std::uint64_t> Database::wait_for_commit(std::uint64_t after_lsn, std::chrono::milliseconds timeout) {
  if (core_->closed()) return closed_error();
  DOSQL_ASSIGN_OR_RETURN(const Lsn newest,
                         core_->store().wait_for_visible(Lsn{after_lsn}, engine::deadline_in(timeout)));
  return raw(newest);
}

Result<bool> Database::maintain(std::uint64_t budget_us) {
  if (core_->closed()) return closed_error();
  return core_->store().maintain(budget_us);
}

Status Database::close() { return core_->close(); }

}  // namespace dosql
