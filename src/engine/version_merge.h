// A merge of versions as one transaction on a connection: all of it or nothing.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include <dosql/result.h>

#include "engine/merge_changes.h"
#include "engine/merge_context.h"
#include "version/version_store.h"

namespace dosql::engine {

class ConnectionState;

struct VersionMerge {
  version::ReadPoint theirs;
  // What theirs is compared with. What more than one of them disagree about is counted from what they are
  // merged (base_comparison.h).
  std::vector<version::ReadPoint> bases;
  merge::Preference preference = merge::Preference::kNone;
  bool renumber = false;
  bool keep = true;           // false: only find out what would happen
  bool only_changes = false;  // where nothing would change there is nothing to keep, whatever the marks say
  bool reverts = false;       // what it adds to the schema is what there was before
  // Of the commit.
  version::CommitMarks marks = {};
  std::function<const Resolution*(const Conflict&)> resolution = {};
};

struct VersionMergeResult {
  // Rows or the schema are others for it, or would be. Only known of `only_changes`.
  bool changes = true;
  std::deque<TableMergeCounts> tables;
  // Without any, and if it was to be kept, the merge is done; else nothing was changed.
  std::vector<Conflict> conflicts;
};

// Outside of a transaction it commits, as durable as the connection's `synchronous` says; in the user's it is
// a part of that, and undone with it. A commit that has marks makes a version, also where no row changed.
// Outside of a transaction, what is not to be kept is tried on the version that the connection sees, without
// the writer slot. REQUIRES: no statement of the connection is running. Errors: those of merge_changes(), of
// waiting for the writer slot and of committing.
Result<VersionMergeResult> merge_versions(ConnectionState& connection, const VersionMerge& what);

}  // namespace dosql::engine
