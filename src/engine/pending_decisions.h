// Decisions about conflicts that the open transaction has made. They are written when it is committed, and go
// with it, or with a savepoint in it, when that is undone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <dosql/result.h>

#include "engine/database_core.h"
#include "engine/main_file.h"
#include "engine/merge_context.h"
#include "engine/merge_staging.h"
#include "engine/session.h"

namespace dosql::engine {

// Of one connection, on its thread. SQLite says when something is undone: see marks_table.h.
class PendingDecisions {
 public:
  using Decision = std::pair<std::int64_t, Resolution>;  // the conflict's id first

  PendingDecisions(std::shared_ptr<Session> session, DatabaseCore& core, MainFile& file)
      : session_(std::move(session)), core_(core), file_(file) {}

  // What waits for the branch that the connection is on, to be written to as the session writes; null:
  // nothing.
  Result<std::unique_ptr<MergeStaging>> waiting();

  std::span<const Decision> all() const { return all_; }
  void add(std::int64_t id, Resolution resolution) { all_.emplace_back(id, std::move(resolution)); }
  // Forgets all but the first `count`.
  void keep(std::size_t count);
  // As one commit, in their order. Errors: kNotFound (nothing waits any more), those of writing.
  Status write();

 private:
  const std::shared_ptr<Session> session_;
  DatabaseCore& core_;
  MainFile& file_;
  std::vector<Decision> all_;
};

}  // namespace dosql::engine
