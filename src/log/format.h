// The bytes of DoSQL's files. docs/format/log.md is the specification; the invariants L1.. cited in the
// sources and tests are numbered there.
//
// NOTE: never change the values or layouts here; a new layout takes a new kFormatVersion.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace dosql::log {

inline constexpr std::uint32_t kFormatVersion = 1;

inline constexpr std::string_view kLockFile = "lock";
inline constexpr std::string_view kControlFile = "control";
inline constexpr std::string_view kCheckpointFile = "checkpoint";
inline constexpr std::string_view kCheckpointTemporaryFile = "checkpoint.new";
inline constexpr std::string_view kStatusFile = "status";     // src/version/status_page.h
inline constexpr std::string_view kSlotFilePrefix = "slot-";  // src/cdc/slot_file.h

// --- Positions -----------------------------------------------------------------------------------

// A place in the log: 22 bits of segment number, 26 bits of offset inside the segment. 0 is nowhere.
enum class Position : std::uint64_t {};

inline constexpr std::uint64_t kSegmentBytesMax = std::uint64_t{64} << 20;
inline constexpr std::uint64_t kSegmentBytesMin = std::uint64_t{256} << 10;
inline constexpr std::uint32_t kSegmentNumberMax = (std::uint32_t{1} << 22) - 1;

constexpr Position make_position(std::uint32_t segment, std::uint64_t offset) {
  return Position{(std::uint64_t{segment} << 26) | offset};
}
constexpr std::uint64_t raw(Position position) { return static_cast<std::uint64_t>(position); }
constexpr std::uint32_t segment_of(Position position) {
  return static_cast<std::uint32_t>(raw(position) >> 26);
}
constexpr std::uint64_t offset_of(Position position) { return raw(position) & (kSegmentBytesMax - 1); }

// --- control ---------------------------------------------------------------------------------------

inline constexpr char kControlMagic[8] = {'D', 'o', 'S', 'Q', 'L', 'c', 't', 'l'};
inline constexpr std::uint64_t kControlSlotOffsets[2] = {0, 4096};
inline constexpr std::uint64_t kControlFileBytes = 8192;

struct ControlSlot {
  char magic[8];
  std::uint32_t format_version;
  std::uint32_t page_bytes;
  std::uint64_t database_id;
  std::uint64_t sequence;   // +1 at every write of the file but those that set closed_end
  std::uint64_t lsn_lease;  // L2: no LSN above this was ever handed out
  std::int64_t created_us;
  std::uint64_t closed_end;  // L7: where the close record begins; 0: the log was written to since
  std::uint64_t reserved[8];
  std::uint64_t checksum;  // of all bytes before
};
static_assert(sizeof(ControlSlot) == 128);

// --- segments --------------------------------------------------------------------------------------

inline constexpr char kSegmentMagic[8] = {'D', 'o', 'S', 'Q', 'L', 'l', 'o', 'g'};
inline constexpr std::uint64_t kSegmentHeaderOffsets[2] = {0, 2048};
inline constexpr std::uint64_t kFirstRecordOffset = 4096;

struct SegmentHeader {
  char magic[8];
  std::uint32_t format_version;
  std::uint32_t segment;  // 1, 2, ...
  std::uint64_t database_id;
  std::uint64_t salt;              // mixed into every record checksum of this segment
  std::uint64_t segment_bytes;     // allocated size
  std::uint32_t previous_segment;  // 0: none
  std::uint32_t reserved0;
  std::uint64_t previous_end;       // L4: the previous segment's records end here; bytes behind are void
  std::uint64_t previous_checksum;  // of the last record before this segment, 0 when there is none
  std::uint64_t lsn_floor;          // every LSN in this segment is above
  std::uint64_t durable_lsn;        // known to be on disk when this segment was begun
  std::int64_t created_us;
  std::uint64_t reserved[4];
  std::uint64_t checksum;  // of all bytes before
};
static_assert(sizeof(SegmentHeader) == 128);

// --- records ---------------------------------------------------------------------------------------

inline constexpr std::uint32_t kRecordMagic = 0x31525344;  // "DSR1"
inline constexpr std::uint32_t kRecordBytesMax = std::uint32_t{16} << 20;

enum class RecordType : std::uint8_t {
  kCommit = 1,  // one transaction's changes
  kSpill = 2,   // changes of a transaction that has not committed yet
  kFold = 3,    // full images or key patches replacing the newest versions of pages; changes no content
  kClose = 4,   // the database was closed cleanly here
  kName = 5,    // a branch or snapshot was created or dropped
};

// Whether such records take LSNs. A commit's range is as wide as its changes; a kName record takes one.
constexpr bool takes_lsns(RecordType type) {
  return type == RecordType::kCommit || type == RecordType::kName;
}

enum RecordFlags : std::uint8_t {
  kHasSpills = 1,   // commit: the spill records since kFirstSpill belong to it; a SpillSummary follows
  kFirstSpill = 2,  // spill: forget earlier spills of this branch, their transaction was rolled back
  kHasMarks = 4,  // commit: a MarksSummary and what it counts follow, behind the SpillSummary if there is one
  kHasMoved = 8,  // commit with kHasMarks: a MovedSummary and what it counts follow, behind the marks
};

// The order in which a reader numbers the events inside a commit's LSN range.
inline constexpr std::uint16_t kEventOrderRule = 1;
// last_lsn - first_lsn of a commit is 1,362 * lsn_units + 2: twice the most cells a 4096-byte page
// holds, for each page that could have lost or gained rows.
inline constexpr std::uint64_t kLsnsPerPage = 1362;
inline constexpr std::uint64_t kLsnsPerCommit = 2;

struct RecordHeader {
  std::uint32_t magic;
  std::uint8_t type;
  std::uint8_t flags;
  std::uint16_t event_order_rule;
  std::uint64_t checksum;           // of this header (with 0 here), the fixed part and all entry heads
  std::uint32_t previous_checksum;  // low half of the predecessor's checksum (L3)
  std::uint32_t body_bytes;         // bytes behind this header, a multiple of 8
  std::uint64_t last_lsn;           // commit, name: its last LSN; others: the newest handed out
  std::uint32_t lsn_units;
  std::uint32_t branch;
  std::uint32_t page_count;  // size of the database in pages after it
  std::uint32_t entry_count;
  std::int64_t timestamp_us;
  std::uint64_t durable_lsn;  // known to be on disk when this record was appended (L5)
};
static_assert(sizeof(RecordHeader) == 64);

// Fixed part behind the header of a commit with kHasSpills.
struct SpillSummary {
  std::uint64_t spill_bytes;  // of all its spill records
  std::uint32_t spill_records;
  std::uint32_t changed_pages;  // distinct pages of the whole transaction
};
static_assert(sizeof(SpillSummary) == 16);

enum class MergeKind : std::uint32_t {
  kParent = 1,  // the merged version is a second parent
  kSquash = 2,  // its changes are in the commit, its history is not
};

inline constexpr std::uint32_t kMergesMax = 256;
inline constexpr std::uint32_t kMessageBytesMax = std::uint32_t{64} << 10;

// Of a commit with kHasMarks. Behind it: its merge marks, the message, and zeros up to a multiple of 8.
struct MarksSummary {
  std::uint32_t merges;
  std::uint32_t message_bytes;
};
static_assert(sizeof(MarksSummary) == 8);

// A version that the commit merged.
struct MergeMark {
  std::uint32_t kind;     // a MergeKind
  std::uint32_t branch;   // that committed it
  std::uint64_t version;  // of that branch
  std::uint64_t lsn;      // its LSN
};
static_assert(sizeof(MergeMark) == 24);

inline constexpr std::uint32_t kMovedRunsMax = 256;
inline constexpr std::uint32_t kMovedBytesMax = std::uint32_t{64} << 10;

// Of a commit with kHasMoved: which numbers of rows mean another row in it than in versions that it stands
// on, and which rows it brought. Behind it `bytes` bytes: its runs, each with its name behind it, and zeros
// up to a multiple of 8.
struct MovedSummary {
  std::uint32_t runs;
  std::uint32_t bytes;  // a multiple of 8
};
static_assert(sizeof(MovedSummary) == 8);

enum MovedFlags : std::uint32_t {
  kMovedFromMerged = 1,  // another row in versions that it merged
  kMovedFromParent = 2,  // another row in its parent
  kMovedSameTable = 4,   // the table is that of the run before; there is no name
  kBrought = 8,  // alone, but for 4: rows that came otherwise than by being inserted; a BroughtFrom follows
};

// Numbers of one table, by the name that it has in the commit. No name, and not kMovedSameTable: every table.
struct MovedRun {
  std::int64_t first;
  std::int64_t last;
  std::uint32_t flags;  // MovedFlags
  std::uint32_t name_bytes;
};
static_assert(sizeof(MovedRun) == 24);

// Of a run with kBrought, behind its name.
struct BroughtFrom {
  std::uint64_t lsn;  // of the version that the rows come from; 0: one that the commit contains; ~0: unknown
  std::int64_t now;   // the number in the commit of what is `first` there; the others follow
};
static_assert(sizeof(BroughtFrom) == 16);

// Fixed part behind the header of a kClose record.
struct CloseSummary {
  std::uint64_t control_sequence;  // clean only if control still has this sequence
};
static_assert(sizeof(CloseSummary) == 8);
inline constexpr std::uint64_t kCloseRecordBytes = sizeof(RecordHeader) + sizeof(CloseSummary);

enum class NameChange : std::uint32_t {
  kCreateBranch = 1,
  kDropBranch = 2,
  kCreateSnapshot = 3,
  kDropSnapshot = 4,
  kFastForward = 5,  // a branch's name goes to a new line of versions, which begins with a newer version
};

inline constexpr std::uint32_t kNameBytesMax = 255;

// The body of a kName record is this, the name, and zeros up to a multiple of 8.
struct NameSummary {
  std::uint32_t change;  // a NameChange
  std::uint32_t name_bytes;
  // The branch that is created or dropped, or that the snapshot is of; fast-forward: the new line's id.
  std::uint32_t branch;
  std::uint32_t parent;  // create branch, fast-forward: the branch that the point below is a version of
  // Create, fast-forward: the version that the branch begins with; snapshot: that is labelled.
  std::uint64_t point_version;
  std::uint64_t point_lsn;  // its LSN
};
static_assert(sizeof(NameSummary) == 32);

enum class EntryKind : std::uint8_t {
  kFull = 1,   // the page's 4096 bytes
  kPatch = 2,  // runs against the page's previous version
  kZero = 3,   // runs against zeros
  kKey = 4,    // runs against the chain's base, the last kFull or kZero
};

// Before each payload; entries follow each other without gaps and are not aligned.
struct EntryHead {
  std::uint32_t page;
  std::uint16_t payload_bytes;
  std::uint8_t kind;
  std::uint8_t step;               // entries since the chain's base; 0 for kFull and kZero
  std::uint32_t payload_checksum;  // salted with database id and the fields above
};
static_assert(sizeof(EntryHead) == 12);

}  // namespace dosql::log
