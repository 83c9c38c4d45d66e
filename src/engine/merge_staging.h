// A merge whose conflicts wait for decisions.
//
// It is kept as the rows of two tables on a branch of its own, which nobody sees: so it is as durable as any
// commit, is there again after a restart and is copied with a backup. Of the merge itself nothing is kept:
// completing it merges again, into what the target is by then, with the decisions at hand.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <dosql/merge.h>
#include <dosql/result.h>

#include "base/ids.h"
#include "engine/decision_check.h"
#include "engine/merge_context.h"
#include "engine/own_statement.h"
#include "version/version_store.h"

namespace dosql::engine {

class ConnectionState;
class DatabaseCore;
struct Session;

struct StagedMerge {
  using Kind = MergeAction;
  Kind kind = Kind::kMerge;
  std::string source;  // a branch; of a revert or pick the commit, as main@5
  Lsn theirs{};        // the version that is merged
  Lsn base{};          // of a revert or pick: the version that it is compared with; 0: the empty database
  bool squash = false;
  bool renumber = false;
  std::string message;
};

std::string_view kind_name(StagedMerge::Kind kind);

// A version by the LSN of its commit; 0 is the empty database.
Result<version::ReadPoint> version_with(const version::VersionStore& store, Lsn lsn);

struct StagedConflict {
  MergeConflict conflict;
  std::optional<Resolution> resolution = {};
};

// Whether a branch is one of those that nobody sees.
bool is_hidden_branch(std::string_view name);
std::uint32_t count_hidden_branches(const version::VersionStore& store);

// Which conflicts are meant: all that fit what is given.
struct ConflictFilter {
  std::optional<std::int64_t> id = {};
  std::optional<std::string> table = {};  // as it is written
};

// What waits for one branch, by its name. One thread at a time. Errors of all: those of reading and writing a
// branch.
class MergeStaging {
 public:
  // Null: nothing waits for `target`.
  static Result<std::unique_ptr<MergeStaging>> find(DatabaseCore& core, std::string_view target);
  // The same without what the target has merged since, be it by a COMPLETE MERGE that ended before it could
  // forget what waited. A revert or pick of which that is so goes on waiting: it finds nothing left to do.
  static Result<std::unique_ptr<MergeStaging>> find_waiting(DatabaseCore& core, std::string_view target);
  // REQUIRES: nothing waits for it that is still to be merged.
  static Status stage(ConnectionState& target, const StagedMerge& merge,
                      const std::vector<StagedConflict>& conflicts);
  // None is no error.
  static Status drop(version::VersionStore& store, std::string_view target, version::Durability durability);

  // Writes as that session does: how durable, and how long it waits for others.
  void write_as(const Session& session);

  Result<StagedMerge> merge();
  // By id.
  Result<std::vector<StagedConflict>> conflicts(const ConflictFilter& filter = {});
  // What the decision comes to, undecided as yet: a value may be a side's. Errors of both: kNotFound (no such
  // conflict), kInvalidArgument (what it cannot be resolved by).
  Result<Resolution> check(std::int64_t id, const Resolution& resolution);
  Status resolve(std::int64_t id, const Resolution& resolution);
  // Several decisions as one commit: all or none.
  Status begin_decisions();
  Status end_decisions(bool keep);
  Status replace_conflicts(const std::vector<StagedConflict>& conflicts);

 private:
  Result<std::string> side_of(std::int64_t id, const std::string& json);
  Status check_json(std::int64_t id, const std::string& text);
  Status check_decision(std::int64_t id, const Resolution& resolution);
  explicit MergeStaging(std::shared_ptr<ConnectionState> state) : state_(std::move(state)) {}
  static Result<std::unique_ptr<MergeStaging>> open(DatabaseCore& core, const std::string& branch);
  Status write(const std::vector<StagedConflict>& conflicts);

  bool is_step_ = false;                    // a revert or pick
  std::shared_ptr<ConnectionState> state_;  // a connection of its own, on the hidden branch
  std::optional<OwnStatement> decide_;      // compiled once
  std::optional<OwnStatement> is_json_;
  std::optional<DecisionCheck> check_;
};

// 'ours', 'theirs', 'delete', or JSON.
Resolution resolution_of(std::string_view text);
std::string resolution_text(const Resolution& resolution);

}  // namespace dosql::engine
