#include "log/record_heads.h"

#include <algorithm>
#include <cstring>

#include "log/segment_reader.h"

namespace dosql::log {
namespace {

// What the first read fetches; most records are smaller.
constexpr std::size_t kFrontBytes = 512;
constexpr std::size_t kFixedPartBytesMax = sizeof(SpillSummary) + sizeof(MarksSummary) +
                                           kMergesMax * sizeof(MergeMark) + kMessageBytesMax + 8 +
                                           sizeof(MovedSummary) + kMovedBytesMax;

// The bytes of one record, by their offset in it: in front what was read first, behind it piece after piece.
class RecordBytes {
 public:
  RecordBytes(io::File& file, std::uint64_t offset, std::uint64_t record_bytes, Bytes front)
      : front_(front.first(std::min<std::uint64_t>(front.size(), record_bytes))),
        offset_(offset),
        size_(record_bytes),
        behind_(file, offset + record_bytes) {}

  std::uint64_t size() const { return size_; }

  // So many of them, or fewer where the file ends. They live until the next call; `at` may only grow.
  Result<Bytes> get(std::uint64_t at, std::size_t bytes) {
    if (at + bytes <= front_.size()) return front_.subspan(at, bytes);
    DOSQL_ASSIGN_OR_RETURN(const Bytes found, behind_.bytes_at(offset_ + at, bytes));
    return found.first(std::min(found.size(), bytes));
  }

 private:
  const Bytes front_;
  const std::uint64_t offset_;
  const std::uint64_t size_;
  SegmentReader behind_;
};

void append(std::vector<std::byte>& to, Bytes bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

// False when the record is not what its header says.
Result<bool> gather(RecordBytes& record, RecordHeads& heads) {
  const RecordHeader& header = heads.header;
  DOSQL_ASSIGN_OR_RETURN(
      const Bytes begin,
      record.get(sizeof header, std::min<std::size_t>(header.body_bytes, kFixedPartBytesMax)));
  const auto fixed_part = fixed_part_bytes(header, begin);
  if (!fixed_part) return false;
  heads.fixed_part_bytes = *fixed_part;
  heads.joined.reserve(*fixed_part + header.entry_count * sizeof(EntryHead));
  append(heads.joined, begin.first(*fixed_part));
  std::uint64_t at = sizeof header + *fixed_part;
  for (std::uint32_t i = 0; i < header.entry_count; ++i) {
    DOSQL_ASSIGN_OR_RETURN(const Bytes head, record.get(at, sizeof(EntryHead)));
    if (head.size() < sizeof(EntryHead)) return false;
    append(heads.joined, head);
    at += sizeof(EntryHead) + load<EntryHead>(head.data()).payload_bytes;
  }
  return at <= record.size() && record.size() - at < 8;  // only padding may follow
}

}  // namespace

std::vector<PageNo> RecordHeads::pages() const {
  std::vector<PageNo> pages;
  pages.reserve(header.entry_count);
  for (std::size_t at = fixed_part_bytes; at < joined.size(); at += sizeof(EntryHead))
    pages.push_back(PageNo{load<EntryHead>(joined.data() + at).page});
  return pages;
}

Result<std::optional<RecordHeads>> read_record_heads(io::File& file, std::uint64_t offset,
                                                     std::uint64_t segment_salt) {
  using Outcome = std::optional<RecordHeads>;
  std::byte front[kFrontBytes];
  DOSQL_ASSIGN_OR_RETURN(const std::size_t got, file.read_at(offset, front));
  RecordHeads heads;
  if (got < sizeof heads.header) return Outcome();
  heads.header = load<RecordHeader>(front);
  if (!plausible_header(heads.header, kRecordBytesMax)) return Outcome();
  RecordBytes record(file, offset, sizeof heads.header + heads.header.body_bytes, Bytes(front, got));
  DOSQL_ASSIGN_OR_RETURN(const bool gathered, gather(record, heads));
  if (!gathered) return Outcome();
  if (record_checksum(heads.header, heads.joined, segment_salt) != heads.header.checksum) return Outcome();
  return Outcome(std::move(heads));
}

}  // namespace dosql::log
