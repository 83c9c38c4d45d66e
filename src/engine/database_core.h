// An open database, as its connections share it.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include <dosql/database.h>
#include <dosql/options.h>
#include <dosql/result.h>

#include "cdc/slot_store.h"
#include "engine/autoincrement.h"
#include "engine/branch_uses.h"
#include "engine/cache_budget.h"
#include "engine/vfs.h"
#include "engine/writer_slot.h"
#include "io/storage.h"
#include "version/version_store.h"

namespace dosql::engine {

// Threads: all methods may be called from any thread.
class DatabaseCore : public std::enable_shared_from_this<DatabaseCore> {
 public:
  // `path` is what messages and PRAGMA database_list call `directory`.
  static Result<std::shared_ptr<DatabaseCore>> open(std::unique_ptr<io::Directory> directory,
                                                    std::string path, const Options& options);
  // Closes the store; a failure is lost (the next open replays the log).
  ~DatabaseCore();

  version::VersionStore& store() { return *store_; }
  WriterSlots& slots() { return slots_; }
  AutoincrementCounters& counters() { return *counters_; }
  Vfs& vfs() { return *vfs_; }
  const Options& options() const { return options_; }
  Clock& clock() const { return *clock_; }
  Random& random() const { return *random_; }
  const std::string& path() const { return path_; }
  bool read_only() const { return options_.mode == OpenMode::kReadOnly; }
  bool created() const { return created_; }

  // How far consumers of changes have got.
  cdc::SlotStore& feed_slots() { return *feed_slots_; }
  // Which branches connections are on.
  BranchUses& branch_uses() { return branch_uses_; }

  // Connections of users that are open now.
  int connections() const { return connections_; }
  // False: the database is closed.
  bool connect();
  void disconnect() { cache_budget_.connected(--connections_); }
  const CacheBudget& cache_budget() const { return cache_budget_; }

  // A session for one more SQLite handle.
  std::shared_ptr<Session> new_session();

  // Errors: kInvalidArgument (a connection is open), kBusy (a transaction is, of a handle that outlived its
  // connection), those of VersionStore::close(). After the first two it is still open.
  Status close();
  bool closed() const { return closed_; }

 private:
  explicit DatabaseCore(const Options& options) : options_(options), cache_budget_(options.cache_bytes) {}

  const Options options_;
  Clock* clock_ = nullptr;
  Random* random_ = nullptr;
  std::string path_;
  bool created_ = false;
  std::mutex closing_;  // held over connecting, and over finding that nobody is connected and closing
  std::atomic<bool> closed_{false};
  std::atomic<int> connections_{0};
  CacheBudget cache_budget_;
  BranchUses branch_uses_;
  std::unique_ptr<version::VersionStore> store_;
  std::unique_ptr<cdc::SlotStore> feed_slots_;
  WriterSlots slots_;
  std::unique_ptr<AutoincrementCounters> counters_;
  std::unique_ptr<Vfs> vfs_;
};

// What many years from now is like never: a point in time that far away could not be written down.
inline std::chrono::steady_clock::time_point deadline_in(std::chrono::milliseconds timeout) {
  // Who does not wait need not know what time it is.
  if (timeout <= std::chrono::milliseconds::zero()) return std::chrono::steady_clock::time_point::min();
  constexpr std::chrono::milliseconds kLongest = std::chrono::hours(24 * 3650);
  return std::chrono::steady_clock::now() + std::min(timeout, kLongest);
}

// How the engine and its tests make a Database of a core.
struct DatabaseAccess {
  static Database make(std::shared_ptr<DatabaseCore> core) { return Database(std::move(core)); }
  static DatabaseCore& core(const Database& database) { return *database.core_; }
};

}  // namespace dosql::engine
