// Slots: how far a consumer of changes has got, kept by the database.
//
//   auto slots = database.slots();
//   slots.create("search-index", {.after_lsn = 0}).value();
//   auto changes = slots.subscribe("search-index").value();
//   while (auto change = changes.next(std::chrono::seconds(1)).value()) {
//     index(*change);
//     slots.acknowledge("search-index", change->lsn).value();
//   }
//
// A slot belongs to a branch, survives everything that a commit survives, and works from a process that only
// reads, too. One subscription at a time has it. Acknowledgements are written together, every 50 ms, and when
// the subscription ends: after a crash what was acknowledged last may come again, and nothing is missed.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <dosql/changes.h>
#include <dosql/result.h>
#include <dosql/time_point.h>

namespace dosql {

namespace engine {
class DatabaseCore;
}

struct SlotOptions {
  std::string branch = "main";
  // Where it begins; none: with what comes now.
  std::optional<std::uint64_t> after_lsn = {};
  // A slot that is further behind is lost, so that a consumer that is gone does not keep history for ever. 0:
  // no limit. It is looked at when the slot is used or listed.
  std::chrono::seconds lag_max{0};
  std::uint64_t lag_bytes_max = 0;
};

struct SlotInfo {
  std::string name = {};
  std::string branch = {};
  std::uint64_t acknowledged_lsn = 0;
  Timestamp created = {};
  Timestamp acknowledged = {};  // when that was last said
  // How much of the branch is not acknowledged: commits, what they took in the log, and the age of the
  // oldest. What a subscription left out behind its newest change is not counted once that is acknowledged.
  std::uint64_t lag_commits = 0;
  std::uint64_t lag_bytes = 0;
  std::chrono::microseconds lag{};
  std::chrono::seconds lag_max{};
  std::uint64_t lag_bytes_max = 0;
  bool in_use = false;  // in this process
  bool lost = false;
};

// A handle; it keeps the database open. Threads: any. Errors of what follows: DOSQL_NOT_FOUND, DOSQL_LOCKED
// (another process is using the slot), DOSQL_CORRUPT, DOSQL_READ_ONLY, DOSQL_DISK_FULL, DOSQL_IO.
class Slots {
 public:
  // Durable on return. Errors: also DOSQL_ALREADY_EXISTS, DOSQL_BRANCH_NOT_FOUND, DOSQL_INVALID_ARGUMENT (the
  // name: 1 to 64 letters, digits, '_', '-' and '.'; a negative `lag_max`).
  Status create(const std::string& name, const SlotOptions& options = {});
  // By name, ascending.
  Result<std::vector<SlotInfo>> list();
  Result<SlotInfo> get(const std::string& name);
  // Behind what was acknowledged. The slot is in use for as long as the feed lives. Errors: also DOSQL_BUSY
  // (in use in this process), DOSQL_HISTORY_EXPIRED (it is lost), DOSQL_BRANCH_NOT_FOUND (that was dropped).
  Result<Changes> subscribe(const std::string& name, ChangeFilter filter = {});
  // Everything up to `lsn` was dealt with; backwards changes nothing. Without a subscription it is durable on
  // return. Errors: also DOSQL_HISTORY_EXPIRED, DOSQL_INVALID_ARGUMENT (nothing has that LSN yet).
  Status acknowledge(const std::string& name, std::uint64_t lsn);
  // Durable on return. Errors: also DOSQL_BUSY.
  Status drop(const std::string& name);

 private:
  friend class Database;
  explicit Slots(std::shared_ptr<engine::DatabaseCore> core) : core_(std::move(core)) {}
  std::shared_ptr<engine::DatabaseCore> core_;
};

}  // namespace dosql
