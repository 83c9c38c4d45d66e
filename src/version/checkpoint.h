// The checkpoint file: the page and commit index as of a point of the log, so that opening need not
// replay all of it. It is never the only copy of anything: a damaged one is ignored.
//
// Layout (little-endian): CheckpointHeader; one 64-bit checksum per 1 MiB block of the body; the body:
//   commit_count  x CommitRow      version 1 first
//   page_rows     x PageRow        ascending
//   version_count x PageVersion    those of the first page, oldest first, then of the next, ...
//   names_bytes                    branches and named snapshots: checkpoint_names.h
// Pages, versions and commits are main's.
#pragma once

#include <cstdint>

#include "log/log.h"
#include "version/page_table.h"

namespace dosql::version {

inline constexpr char kCheckpointMagic[8] = {'D', 'o', 'S', 'Q', 'L', 'c', 'k', 'p'};
inline constexpr std::uint64_t kCheckpointBlockBytes = std::uint64_t{1} << 20;

struct CheckpointHeader {
  char magic[8];
  std::uint32_t format_version;
  std::uint32_t page_count;  // of the newest version
  std::uint64_t database_id;
  // The log point it covers; see log::LogPoint.
  std::uint64_t position;
  std::uint64_t segment_salt;
  std::uint64_t previous_checksum;
  std::uint64_t closed_sequence;
  std::uint64_t last_lsn;
  std::uint64_t lsn_high;
  std::uint64_t durable_lsn;
  std::int64_t last_timestamp_us;
  std::uint64_t commit_count;
  std::uint64_t page_rows;
  std::uint64_t version_count;
  std::uint64_t names_bytes;
  std::uint64_t used_bytes;       // of the log, up to the point
  std::uint64_t blocks_checksum;  // of the block checksums
  std::uint64_t checksum;         // of all bytes before
};
static_assert(sizeof(CheckpointHeader) == 144);

struct CommitRow {
  std::uint64_t lsn;
  std::uint64_t position;
};
static_assert(sizeof(CommitRow) == 16);

struct PageRow {
  std::uint32_t page;
  std::uint32_t versions;
  std::uint32_t chain_bytes;
  std::uint32_t reserved;
};
static_assert(sizeof(PageRow) == 16);

// What is wrong with the checkpoint file, with the offset; empty when nothing is, or there is no file.
Result<std::vector<std::pair<std::uint64_t, std::string>>> check_checkpoint(io::Directory& directory,
                                                                            std::uint64_t database_id);

}  // namespace dosql::version
