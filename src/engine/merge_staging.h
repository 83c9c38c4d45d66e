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
#include "engine/merge_context.h"
#include "engine/own_statement.h"
#include "version/version_store.h"

namespace dosql::engine {

class ConnectionState;
class DatabaseCore;
struct Session;

struct StagedMerge {
  std::string source;
  Lsn theirs{};  // the version of the source that is merged
  bool squash = false;
  bool renumber = false;
  std::string message;
};

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
  // forget what waited.
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
  // Errors: kNotFound (no such conflict).
  Status resolve(std::int64_t id, const Resolution& resolution);
  // Several decisions as one commit: all or none.
  Status begin_decisions();
  Status end_decisions(bool keep);
  Status replace_conflicts(const std::vector<StagedConflict>& conflicts);

 private:
  Result<std::string> side_of(std::int64_t id, const std::string& json);
  explicit MergeStaging(std::shared_ptr<ConnectionState> state) : state_(std::move(state)) {}
  static Result<std::unique_ptr<MergeStaging>> open(DatabaseCore& core, const std::string& branch);
  Status write(const std::vector<StagedConflict>& conflicts);

  std::shared_ptr<ConnectionState> state_;  // a connection of its own, on the hidden branch
  std::optional<OwnStatement> decide_;      // compiled once
  std::optional<OwnStatement> is_json_;
};

// 'ours', 'theirs', 'delete', or JSON.
Resolution resolution_of(std::string_view text);
std::string resolution_text(const Resolution& resolution);

}  // namespace dosql::engine
