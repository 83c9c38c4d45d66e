#include "bindings/node/open_databases.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <mutex>

namespace dosql::node {

struct DatabaseShare::Entry {
  std::string path;
  std::mutex opening;  // guards `database` and `options`; is taken before the registry's
  std::optional<Database> database;
  Options options;
  int shares = 0;  // guarded by the registry's mutex
};

namespace {

using Entry = DatabaseShare::Entry;

// A program has a few handles, not thousands. better-sqlite3 gives a connection as much.
constexpr std::size_t kCacheBytes = std::size_t{16'000} << 10;

struct Registry {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<Entry>> entries;
};

// Threads may outlive static objects.
Registry& registry() {
  static Registry& instance = *new Registry();
  return instance;
}

std::string one_name_of(const std::string& path) {
  std::error_code error;
  const std::filesystem::path canonical = std::filesystem::weakly_canonical(path, error);
  return error ? path : canonical.string();
}

std::shared_ptr<Entry> join(const std::string& path) {
  const std::string name = one_name_of(path);
  std::lock_guard lock(registry().mutex);
  std::shared_ptr<Entry>& entry = registry().entries[name];
  if (entry == nullptr) {
    entry = std::make_shared<Entry>();
    entry->path = name;
  }
  ++entry->shares;
  return entry;
}

// Closes the database when nobody has a share any more. Who wants it meanwhile waits for `opening`.
Status leave(const std::shared_ptr<Entry>& entry) {
  {
    std::lock_guard lock(registry().mutex);
    if (--entry->shares > 0) return {};
  }
  std::lock_guard opening(entry->opening);
  {
    std::lock_guard lock(registry().mutex);
    if (entry->shares > 0) return {};
  }
  Status closed;
  if (entry->database) closed = entry->database->close();
  entry->database.reset();
  std::lock_guard lock(registry().mutex);
  const auto found = registry().entries.find(entry->path);
  if (entry->shares == 0 && found != registry().entries.end() && found->second == entry)
    registry().entries.erase(found);
  return closed;
}

Options with_defaults(const OpenOptions& asked) {
  Options options;
  options.mode = asked.mode.value_or(options.mode);
  options.pool_bytes = asked.pool_bytes.value_or(options.pool_bytes);
  options.history_cache_bytes = asked.history_cache_bytes.value_or(options.history_cache_bytes);
  options.cache_bytes = asked.cache_bytes.value_or(kCacheBytes);
  options.allow_files = asked.allow_files.value_or(options.allow_files);
  options.busy_timeout_ms = asked.busy_timeout_ms.value_or(options.busy_timeout_ms);
  return options;
}

Status refuse_other_options(const Entry& entry, const OpenOptions& asked) {
  const Options& is = entry.options;
  const auto other = [&](std::string_view name) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("'{}' is open in this process with another {}", entry.path, name))
        .with_hint("handles of one database share what the first one was opened with");
  };
  const bool read_only = is.mode == OpenMode::kReadOnly;
  if (asked.mode && (*asked.mode == OpenMode::kReadOnly) != read_only) return other("readOnly");
  if (asked.pool_bytes && *asked.pool_bytes != is.pool_bytes) return other("poolBytes");
  if (asked.history_cache_bytes && *asked.history_cache_bytes != is.history_cache_bytes)
    return other("historyCacheBytes");
  if (asked.cache_bytes && *asked.cache_bytes != is.cache_bytes) return other("cacheBytes");
  if (asked.allow_files && *asked.allow_files != is.allow_files) return other("allowFiles");
  if (asked.busy_timeout_ms && *asked.busy_timeout_ms != is.busy_timeout_ms) return other("busyTimeoutMs");
  return {};
}

Status open_entry(Entry& entry, const OpenOptions& asked) {
  std::lock_guard opening(entry.opening);
  if (entry.database) return refuse_other_options(entry, asked);
  const Options options = with_defaults(asked);
  DOSQL_ASSIGN_OR_RETURN(Database database, Database::open(entry.path, options));
  entry.database = std::move(database);
  entry.options = options;
  return {};
}

}  // namespace

Result<DatabaseShare> DatabaseShare::open(const std::string& path, const OpenOptions& options) {
  DatabaseShare share(join(path));
  DOSQL_RETURN_IF_ERROR(open_entry(*share.entry_, options));
  return share;
}

DatabaseShare::~DatabaseShare() { close().ignore("a destructor cannot report"); }

DatabaseShare DatabaseShare::another() const {
  std::lock_guard lock(registry().mutex);
  ++entry_->shares;
  return DatabaseShare(entry_);
}

Database& DatabaseShare::database() const { return *entry_->database; }

Status DatabaseShare::close() {
  const std::shared_ptr<Entry> entry = std::exchange(entry_, nullptr);
  return entry ? leave(entry) : Status();
}

}  // namespace dosql::node
