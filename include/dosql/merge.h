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

// Of Connection::revert() and cherry_pick(), which merge too: the branch's side is what the commit does, or
// what undoes it.
struct PickOptions {
  MergeStrategy strategy = MergeStrategy::kAuto;
  std::string message;   // of the commit, at most 64 KiB; empty: it says which commit was undone or picked
  bool dry_run = false;  // only tell what would happen
};

// What a merge did to one table of the target, or view.
struct TableMergeCounts {
  std::string table;
  // What became of its definition, indexes and triggers, as dosql_diff_schema says it: create, alter, rename,
  // drop; empty: nothing. The rows of one that was dropped are not counted.
  std::string schema = {};
  std::uint64_t inserted = 0;
  std::uint64_t updated = 0;
  std::uint64_t deleted = 0;
  std::uint64_t conflicts = 0;
};

// Where the two sides cannot both have their way: main is the branch that is merged into, branch the one that
// is merged, base what both began with. Values are JSON: a row is an object of its columns (of an
// update_update: those in question), null where there is none; a BLOB is {"blob": "00ff"}.
struct MergeConflict {
  std::int64_t id = 0;  // from 1; of those that wait it is the one in dosql_conflicts
  std::string table;
  std::string key;   // of the row: a value, or an array of them; of a schema conflict the thing's name
  std::string kind;  // update_update, insert_insert, key_collision, update_delete, delete_update, unique,
                     // check, not_null, foreign_key, schema or base: docs/merge.md says what each is
  std::string base;
  std::string main;  // of a unique: the row that is in the way, or an array of several
  std::string branch;
};

// What becomes of a conflict.
struct ConflictResolution {
  enum class Take : std::uint8_t {
    kMain,    // main's side stays
    kBranch,  // the branch's is taken
    kDelete,  // the row goes
    kValue,   // the row gets these values
  };
  Take take = Take::kMain;
  std::string value;  // JSON: an object of columns, as MergeConflict has it, or the one value in question
};

enum class MergeAction : std::uint8_t {
  kMerge,
  kRevert,
  kPick,
};

struct MergeResult {
  // What was done, or would be: of Connection::complete_merge() what had met the conflicts.
  MergeAction action = MergeAction::kMerge;
  // The target has all of the source's commits; of a commit that is undone or picked, there is nothing left
  // to undo, or to bring: nothing happened.
  bool already_merged = false;
  // The target had no commits of its own: it is the source's newest version now, and no commit was made.
  bool fast_forward = false;
  // The target's newest version afterwards; where that is not made yet (dry runs, transactions), the one now.
  VersionId version = {};
  std::vector<TableMergeCounts> tables = {};  // those that changed or have conflicts; none of a fast-forward
  // With any, nothing was changed.
  std::vector<MergeConflict> conflicts = {};
  // Of the first of them: MergeOptions::renumber would keep both rows.
  bool renumber_helps = false;
};

}  // namespace dosql
