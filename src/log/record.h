// Building, verifying and walking log records.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include <dosql/result.h>

#include "base/bytes.h"
#include "log/format.h"

namespace dosql::log {

std::uint32_t payload_checksum(std::uint64_t database_id, const EntryHead& head, Bytes payload);

// Collects one record. Small payloads are copied; full pages are only referenced, so that a large
// transaction goes from its frames to the file without a copy. Reused from commit to commit.
class RecordBuilder {
 public:
  explicit RecordBuilder(std::uint64_t database_id) : database_id_(database_id) {}

  void start(RecordType type, std::uint8_t flags, BranchId branch);
  // Before the first entry; may be called again later to replace what it says.
  void set_spill_summary(const SpillSummary& summary);
  // Before the first entry, behind the spill summary if there is one. REQUIRES: at most kMergesMax marks,
  // kMessageBytesMax bytes of message.
  void set_marks(std::span<const MergeMark> merges, std::string_view message);
  // Behind the marks. REQUIRES: whole MovedRuns with their names, a multiple of 8 bytes, within the limits.
  void set_moved(std::uint32_t runs, Bytes rows);
  void set_close_summary(const CloseSummary& summary);
  // REQUIRES: 1 to kNameBytesMax bytes of name. The summary's name_bytes is filled in.
  void set_name(NameSummary summary, std::string_view name);
  // The payload is copied. Returns the entry's offset from the start of the record.
  std::uint32_t add_copied(PageNo page, EntryKind kind, std::uint8_t step, Bytes payload);
  // The payload must stay unchanged until the record is appended.
  std::uint32_t add_referenced(PageNo page, EntryKind kind, std::uint8_t step, Bytes payload);

  RecordHeader& header() { return header_; }
  const RecordHeader& header() const { return header_; }
  std::uint32_t record_bytes() const { return sizeof(RecordHeader) + body_bytes_; }
  std::uint32_t entry_count() const { return header_.entry_count; }

  // Pads, fills in the remaining header fields and the checksum. After it pieces() is the record.
  void finish(std::uint64_t segment_salt);
  std::span<const Bytes> pieces() const { return pieces_; }

 private:
  struct Reference {
    std::size_t scratch_offset;  // the payload goes behind scratch_[0, scratch_offset)
    Bytes payload;
  };

  EntryHead add_head(PageNo page, EntryKind kind, std::uint8_t step, Bytes payload);
  void append_scratch(Bytes bytes);
  void append_fixed_part(Bytes bytes);
  void set_fixed_part(Bytes bytes);

  std::uint64_t database_id_;
  RecordHeader header_{};
  std::uint32_t body_bytes_ = 0;
  std::vector<std::byte> scratch_;  // header, fixed part, entry heads and copied payloads
  std::vector<std::byte> heads_;    // what the record checksum covers behind the header
  std::vector<Reference> references_;
  std::vector<Bytes> pieces_;
};

// A verified record in memory.
struct RecordView {
  RecordHeader header;
  Bytes body;

  std::uint32_t record_bytes() const { return sizeof(RecordHeader) + header.body_bytes; }
  std::optional<SpillSummary> spill_summary() const;
  // Of a commit, empty where it has none.
  std::vector<MergeMark> merges() const;
  std::string_view message() const;
  // Of a commit: what its MovedSummary says, and the bytes behind that; of another record nothing.
  std::optional<MovedSummary> moved_summary() const;
  Bytes moved() const;
  std::optional<CloseSummary> close_summary() const;
  std::optional<NameSummary> name_summary() const;
  // REQUIRES: name_summary().
  std::string_view name() const;

  // Visits the entries in order with their offset from the start of the record.
  void for_each_entry(
      const std::function<void(const EntryHead&, Bytes payload, std::uint32_t offset)>& visit) const;
};

// Bytes of the fixed part between header and entries; none when the body is too short for what it says.
std::optional<std::uint32_t> fixed_part_bytes(const RecordHeader& header, Bytes body);

// What `header.checksum` should be; `heads` is the fixed part and the entry heads, joined.
std::uint64_t record_checksum(RecordHeader header, Bytes heads, std::uint64_t segment_salt);

// Whether `header` could begin a record in `available` bytes: magic, sizes, known type.
bool plausible_header(const RecordHeader& header, std::uint64_t available_bytes);

enum class Verify : std::uint8_t {
  kRecord,      // header and entry heads
  kEverything,  // payloads too
};

// Parses the record at the start of `bytes` and verifies it; none when it is not a whole valid record
// of this segment. Reads nothing outside `bytes`, whatever they hold.
std::optional<RecordView> parse_record(Bytes bytes, std::uint64_t segment_salt, std::uint64_t database_id,
                                       Verify verify);

// The entries whose payload is not what their head says.
struct DamagedEntry {
  PageNo page;
  std::uint32_t offset;  // from the start of the record
};
std::vector<DamagedEntry> damaged_entries(const RecordView& record, std::uint64_t database_id);

// Makes a valid record one of another segment, behind another predecessor.
void restamp_record(MutableBytes record, std::uint64_t segment_salt, std::uint64_t previous_checksum);

}  // namespace dosql::log
