// Merging one branch into another: what is asked for, and what came of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <dosql/time_point.h>

namespace dosql {

// What becomes of cells that both branches changed, and differently.
enum class MergeStrategy : std::uint8_t {
  kAuto,    // a conflict: nothing is merged
  kOurs,    // the target's stays
  kTheirs,  // the source's is taken
  kManual,  // the merge is put aside until each conflict is resolved
};

struct MergeOptions {
  MergeStrategy strategy = MergeStrategy::kAuto;
  bool squash = false;    // one commit that has the source's changes and not its history
  bool renumber = false;  // the source's new rows get new keys where the target has others under theirs
  std::string message;    // of the commit, at most 64 KiB; a fast-forward makes no commit and has none
  bool dry_run = false;   // only tell what would happen
};

// What a merge did to one table of the target.
struct MergedTable {
  std::string table;
  std::uint64_t inserted = 0;
  std::uint64_t updated = 0;
  std::uint64_t deleted = 0;
  std::uint64_t conflicts = 0;
};

struct MergeResult {
  // The target has all of the source's commits: nothing happened.
  bool already_merged = false;
  // The target had no commits of its own: it is the source's newest version now, and no commit was made.
  bool fast_forward = false;
  // The target's newest version afterwards; of a dry run, its newest version now.
  VersionId version;
  std::vector<MergedTable> tables;  // those that changed or have conflicts; none of a fast-forward
  std::uint64_t conflicts = 0;
};

}  // namespace dosql
