#include "engine/database_core.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>

#include "base/environment.h"
#include "engine/scratch_directory.h"
#include "log/log.h"

namespace dosql::engine {
namespace {

version::StoreOptions store_options(const Options& options) {
  version::StoreOptions result;
  result.access =
      options.mode == OpenMode::kReadOnly ? version::Access::kReadOnly : version::Access::kReadWrite;
  result.create_if_missing = options.mode == OpenMode::kCreateIfMissing;
  result.pool_bytes = options.pool_bytes;
  result.history_cache_bytes = options.history_cache_bytes;
  return result;
}

// The lock of a database is a file that is written: no other directory may get one, or have its own written
// over.
Status leave_alone_what_is_no_database(io::Directory& directory, const std::vector<std::string>& files,
                                       Clock& clock, Random& random) {
  if (files.empty() || std::find(files.begin(), files.end(), log::kControlFile) != files.end()) return {};
  auto log = log::Log::open(directory, log::Access::kReadOnly, log::Log::Create::kNo, clock, random);
  if (!log && log.error().code() == ErrorCode::kNotADatabase) return std::move(log).error();
  return {};
}

// A file of the log knows its own name only, and not what to do.
Error with_directory(Error error, const std::string& directory) {
  if (error.code() != ErrorCode::kFormatTooNew || !error.hint().empty()) return error;
  return Error(ErrorCode::kFormatTooNew, fmt::format("'{}': {}", directory, error.message()))
      .with_hint("open it with a newer release of DoSQL");
}

}  // namespace

Result<std::shared_ptr<DatabaseCore>> DatabaseCore::open(std::unique_ptr<io::Directory> directory,
                                                         std::string path, const Options& options) {
  if (sqlite3_initialize() != SQLITE_OK)
    return Error(ErrorCode::kOutOfMemory, "SQLite cannot be initialised");
  DOSQL_ASSIGN_OR_RETURN(const std::vector<std::string> files, directory->list());
  std::shared_ptr<DatabaseCore> core(new DatabaseCore(options));
  core->clock_ = options.clock ? options.clock : &system_clock();
  core->random_ = options.random ? options.random : &system_random();
  DOSQL_RETURN_IF_ERROR(leave_alone_what_is_no_database(*directory, files, *core->clock_, *core->random_));
  core->path_ = std::move(path);
  core->created_ = files.empty();
  const std::string named = directory->describe();
  auto store = version::VersionStore::open(std::move(directory), store_options(options), *core->clock_,
                                           *core->random_);
  if (!store) return with_directory(std::move(store).error(), named);
  core->store_ = *std::move(store);
  core->feed_slots_ =
      std::make_unique<cdc::SlotStore>(core->store_->directory(), core->store_->status().database_id,
                                       *core->clock_, fmt::format("process {}", ::getpid()));
  core->counters_ = std::make_unique<AutoincrementCounters>(*core->store_);
  if (!core->read_only()) ScratchDirectory::remove_left_over(core->path_);
  core->vfs_ = std::make_unique<Vfs>(VfsSetup{.store = core->store_.get(),
                                              .slots = &core->slots_,
                                              .counters = core->counters_.get(),
                                              .clock = core->clock_,
                                              .directory = core->path_,
                                              .allow_files = options.allow_files});
  return core;
}

DatabaseCore::~DatabaseCore() {
  if (store_) close().ignore("nobody is left to tell; the next open replays the log");
}

std::shared_ptr<Session> DatabaseCore::new_session() {
  auto session = std::make_shared<Session>();
  session->database = shared_from_this();
  session->read_only = read_only();
  session->busy_timeout_ms = options_.busy_timeout_ms;
  return session;
}

bool DatabaseCore::connect() {
  std::lock_guard lock(closing_);
  if (closed_) return false;
  cache_budget_.connected(++connections_);
  return true;
}

Status DatabaseCore::close() {
  std::lock_guard lock(closing_);
  if (closed_) return {};
  if (const int open = connections_; open > 0)
    return Error(ErrorCode::kInvalidArgument, fmt::format("{} connections are still open", open));
  Status closed = store_->close();
  closed_ = closed || closed.error().code() != ErrorCode::kBusy;
  return closed;
}

}  // namespace dosql::engine
