// The part of the checkpoint file that holds branches and named snapshots.
//
// Layout: NamesHeader; then
//   branches    x BranchRow     ascending by id, without main
//   commits     x CommitRow     those of the first branch, oldest first, then of the next, ...
//   slots       x SlotRow       ascending by the LSN of their first version: the order in which they were
//                                 made
//   versions    x PageVersion   those of the first slot, oldest first, then of the next, ...
//   snapshots   x SnapshotRow   by name
//   the names of branches and snapshots, one behind the other, and zeros up to a multiple of 8
//   LineageRow to the end of the section: main's, then those of the first branch, ...
// What a branch shares with its parent is not there: it follows from the order of slots and branches.
#pragma once

#include <cstdint>
#include <vector>

#include "version/store_impl.h"

namespace dosql::version {

struct NamesHeader {
  std::uint64_t branches;
  std::uint64_t commits;
  std::uint64_t slots;
  std::uint64_t versions;
  std::uint64_t snapshots;
  std::uint64_t name_bytes;      // without the zeros
  std::uint64_t next_branch_id;  // ids of dropped branches are never used again
};
static_assert(sizeof(NamesHeader) == 56);

struct BranchRow {
  std::uint32_t id;
  std::uint32_t parent;
  std::uint64_t fork_version;
  std::uint64_t fork_lsn;
  std::uint32_t fork_page_count;
  std::uint32_t page_count;  // of its head
  std::uint64_t created_lsn;
  std::int64_t created_us;
  std::uint64_t commits;
  std::uint32_t known_pages;  // the most pages any version had
  std::uint32_t name_bytes;
  std::uint32_t dropped;     // 1: only what was forked off it needs it
  std::uint32_t generation;  // how often it was forked at its head
};
static_assert(sizeof(BranchRow) == 72);

struct SlotRow {
  std::uint32_t branch;
  std::uint32_t page;
  std::uint32_t versions;
  std::uint32_t chain_bytes;
  std::uint32_t generation;  // of the branch when the slot was made
  std::uint32_t reserved;
};
static_assert(sizeof(SlotRow) == 24);

struct SnapshotRow {
  std::uint32_t branch;
  std::uint32_t page_count;
  std::uint64_t version;
  std::uint64_t lsn;
  std::int64_t created_us;
  std::uint32_t name_bytes;
  std::uint32_t reserved;
};
static_assert(sizeof(SnapshotRow) == 40);

// A merge mark, that a branch is the successor of another, or that a commit brought rows. These rows end the
// section: one that has none is as long as before there were any.
struct LineageRow {
  std::uint32_t branch;  // of the commit; the successor
  std::uint32_t kind;    // a MergeKind, kSuccessorRow or kBroughtRow
  std::uint64_t version;
  std::uint32_t source_branch;  // the mark's; whose name the successor has; of kBroughtRow: `branch`
  std::uint32_t moved;          // of a mark, 1: the commit's record says which numbers it moved
  std::uint64_t source_version;
  std::uint64_t source_lsn;
};
static_assert(sizeof(LineageRow) == 40);
inline constexpr std::uint32_t kSuccessorRow = 3;
inline constexpr std::uint32_t kBroughtRow = 4;

// REQUIRES: no commit and no change of names is under way.
void append_names(const StoreImpl& store, std::vector<std::byte>& body);

// Whether the section, of verified checksum, says nothing impossible. Reads nothing outside.
bool names_consistent(Bytes section);

// REQUIRES: names_consistent(section), the store has main as of the checkpoint and no other names; the bytes
// live as long as the store. False: the section contradicts main.
bool load_names(StoreImpl& store, Bytes section);

}  // namespace dosql::version
