#include "log/record.h"

#include "base/check.h"
#include "base/checksum.h"

namespace dosql::log {
namespace {

std::uint32_t name_body_bytes(const NameSummary& summary) {
  return (sizeof summary + summary.name_bytes + 7) / 8 * 8;
}

}  // namespace

std::uint64_t record_checksum(RecordHeader header, Bytes heads, std::uint64_t segment_salt) {
  header.checksum = 0;
  // One pass over contiguous bytes is far cheaper than a streaming hash for the usual one-page commit.
  constexpr std::size_t kSmall = 512;
  if (heads.size() <= kSmall) {
    std::byte buffer[sizeof header + kSmall];
    std::memcpy(buffer, &header, sizeof header);
    if (!heads.empty()) std::memcpy(buffer + sizeof header, heads.data(), heads.size());
    return checksum64(Bytes(buffer, sizeof header + heads.size()), segment_salt);
  }
  return checksum64(bytes_of(header), checksum64(heads, segment_salt));
}

std::uint32_t payload_checksum(std::uint64_t database_id, const EntryHead& head, Bytes payload) {
  return checksum32(payload, database_id ^ load<std::uint64_t>(bytes_of(head).data()));
}

namespace {

// Where a commit's marks begin in its body.
std::uint32_t marks_offset(const RecordHeader& header) {
  return (header.flags & kHasSpills) ? sizeof(SpillSummary) : 0;
}

bool has_marks(const RecordHeader& header) {
  return static_cast<RecordType>(header.type) == RecordType::kCommit && (header.flags & kHasMarks) != 0;
}

std::uint32_t marks_bytes(const MarksSummary& summary) {
  return (sizeof summary + summary.merges * sizeof(MergeMark) + summary.message_bytes + 7) / 8 * 8;
}

// Whether there is more behind the marks.
bool has_moved(const RecordHeader& header) { return has_marks(header) && (header.flags & kHasMoved) != 0; }

// What the header alone tells: the fixed part is as long, or longer.
std::uint32_t least_fixed_part_bytes(const RecordHeader& header) {
  switch (static_cast<RecordType>(header.type)) {
    case RecordType::kCommit:
      return marks_offset(header) + (has_marks(header) ? sizeof(MarksSummary) : 0) +
             (has_moved(header) ? sizeof(MovedSummary) : 0);
    case RecordType::kClose: return sizeof(CloseSummary);
    case RecordType::kName: return header.body_bytes;
    case RecordType::kSpill:
    case RecordType::kFold: return 0;
  }
  return 0;
}

}  // namespace

std::optional<std::uint32_t> fixed_part_bytes(const RecordHeader& header, Bytes body) {
  const std::uint32_t least = least_fixed_part_bytes(header);
  if (least > body.size()) return {};
  if (!has_marks(header)) return least;
  const auto summary = load<MarksSummary>(body.data() + marks_offset(header));
  if (summary.merges > kMergesMax || summary.message_bytes > kMessageBytesMax) return {};
  std::uint32_t bytes = marks_offset(header) + marks_bytes(summary);
  if (bytes > body.size()) return {};
  if (!has_moved(header)) return bytes;
  if (body.size() - bytes < sizeof(MovedSummary)) return {};
  const auto moved = load<MovedSummary>(body.data() + bytes);
  if (moved.runs > kMovedRunsMax || moved.bytes > kMovedBytesMax || moved.bytes % 8 != 0) return {};
  bytes += sizeof moved + moved.bytes;
  if (bytes > body.size()) return {};
  return bytes;
}

void RecordBuilder::start(RecordType type, std::uint8_t flags, BranchId branch) {
  header_ = {};
  header_.magic = kRecordMagic;
  header_.type = static_cast<std::uint8_t>(type);
  header_.flags = flags;
  header_.branch = raw(branch);
  body_bytes_ = 0;
  scratch_.resize(sizeof(RecordHeader));
  heads_.clear();
  references_.clear();
  pieces_.clear();
}

void RecordBuilder::append_scratch(Bytes bytes) {
  scratch_.insert(scratch_.end(), bytes.begin(), bytes.end());
  body_bytes_ += static_cast<std::uint32_t>(bytes.size());
}

void RecordBuilder::append_fixed_part(Bytes bytes) {
  append_scratch(bytes);
  heads_.insert(heads_.end(), bytes.begin(), bytes.end());
}

void RecordBuilder::set_fixed_part(Bytes bytes) {
  if (body_bytes_ == 0) {
    append_fixed_part(bytes);
  } else {
    std::memcpy(scratch_.data() + sizeof(RecordHeader), bytes.data(), bytes.size());
    std::memcpy(heads_.data(), bytes.data(), bytes.size());
  }
}

void RecordBuilder::set_spill_summary(const SpillSummary& summary) { set_fixed_part(bytes_of(summary)); }

void RecordBuilder::set_marks(std::span<const MergeMark> merges, std::string_view message) {
  CHECK(merges.size() <= kMergesMax && message.size() <= kMessageBytesMax);
  static constexpr std::byte kZeros[8] = {};
  const MarksSummary summary{static_cast<std::uint32_t>(merges.size()),
                             static_cast<std::uint32_t>(message.size())};
  header_.flags |= kHasMarks;
  append_fixed_part(bytes_of(summary));
  append_fixed_part(std::as_bytes(merges));
  append_fixed_part(std::as_bytes(std::span(message)));
  append_fixed_part(Bytes(kZeros, (8 - message.size() % 8) % 8));
}

void RecordBuilder::set_moved(std::uint32_t runs, Bytes rows) {
  CHECK(has_marks(header_) && runs <= kMovedRunsMax && rows.size() <= kMovedBytesMax && rows.size() % 8 == 0);
  header_.flags |= kHasMoved;
  append_fixed_part(bytes_of(MovedSummary{runs, static_cast<std::uint32_t>(rows.size())}));
  append_fixed_part(rows);
}

void RecordBuilder::set_close_summary(const CloseSummary& summary) { set_fixed_part(bytes_of(summary)); }

void RecordBuilder::set_name(NameSummary summary, std::string_view name) {
  CHECK(!name.empty() && name.size() <= kNameBytesMax);
  summary.name_bytes = static_cast<std::uint32_t>(name.size());
  std::byte body[sizeof summary + kNameBytesMax + 8] = {};
  std::memcpy(body, &summary, sizeof summary);
  std::memcpy(body + sizeof summary, name.data(), name.size());
  set_fixed_part(Bytes(body, name_body_bytes(summary)));
}

EntryHead RecordBuilder::add_head(PageNo page, EntryKind kind, std::uint8_t step, Bytes payload) {
  EntryHead head{};
  head.page = raw(page);
  head.payload_bytes = static_cast<std::uint16_t>(payload.size());
  head.kind = static_cast<std::uint8_t>(kind);
  head.step = step;
  head.payload_checksum = payload_checksum(database_id_, head, payload);
  const Bytes bytes = bytes_of(head);
  heads_.insert(heads_.end(), bytes.begin(), bytes.end());
  append_scratch(bytes);
  ++header_.entry_count;
  return head;
}

std::uint32_t RecordBuilder::add_copied(PageNo page, EntryKind kind, std::uint8_t step, Bytes payload) {
  const std::uint32_t offset = record_bytes();
  add_head(page, kind, step, payload);
  append_scratch(payload);
  return offset;
}

std::uint32_t RecordBuilder::add_referenced(PageNo page, EntryKind kind, std::uint8_t step, Bytes payload) {
  const std::uint32_t offset = record_bytes();
  add_head(page, kind, step, payload);
  references_.push_back({scratch_.size(), payload});
  body_bytes_ += static_cast<std::uint32_t>(payload.size());
  return offset;
}

void RecordBuilder::finish(std::uint64_t segment_salt) {
  static constexpr std::byte kPadding[8] = {};
  if (header_.body_bytes == 0) {
    append_scratch(Bytes(kPadding, (8 - body_bytes_ % 8) % 8));
    header_.body_bytes = body_bytes_;
  }
  CHECK(record_bytes() <= kRecordBytesMax);
  header_.checksum = record_checksum(header_, heads_, segment_salt);
  std::memcpy(scratch_.data(), &header_, sizeof header_);

  pieces_.clear();
  std::size_t from = 0;
  for (const Reference& reference : references_) {
    pieces_.push_back(Bytes(scratch_).subspan(from, reference.scratch_offset - from));
    pieces_.push_back(reference.payload);
    from = reference.scratch_offset;
  }
  if (from < scratch_.size()) pieces_.push_back(Bytes(scratch_).subspan(from));
}

std::optional<SpillSummary> RecordView::spill_summary() const {
  if (static_cast<RecordType>(header.type) != RecordType::kCommit || !(header.flags & kHasSpills)) return {};
  return load<SpillSummary>(body.data());
}

std::vector<MergeMark> RecordView::merges() const {
  if (!has_marks(header)) return {};
  const std::byte* at = body.data() + marks_offset(header);
  std::vector<MergeMark> merges(load<MarksSummary>(at).merges);
  if (!merges.empty())
    std::memcpy(merges.data(), at + sizeof(MarksSummary), merges.size() * sizeof(MergeMark));
  return merges;
}

std::string_view RecordView::message() const {
  if (!has_marks(header)) return {};
  const std::byte* const at = body.data() + marks_offset(header);
  const auto summary = load<MarksSummary>(at);
  return {reinterpret_cast<const char*>(at) + sizeof summary + summary.merges * sizeof(MergeMark),
          summary.message_bytes};
}

std::optional<MovedSummary> RecordView::moved_summary() const {
  if (!has_moved(header)) return {};
  const std::byte* const marks = body.data() + marks_offset(header);
  return load<MovedSummary>(marks + marks_bytes(load<MarksSummary>(marks)));
}

Bytes RecordView::moved() const {
  const auto summary = moved_summary();
  if (!summary) return {};
  const std::uint32_t offset = marks_offset(header);
  const auto marks = load<MarksSummary>(body.data() + offset);
  return body.subspan(offset + marks_bytes(marks) + sizeof *summary, summary->bytes);
}

std::optional<CloseSummary> RecordView::close_summary() const {
  if (static_cast<RecordType>(header.type) != RecordType::kClose) return {};
  return load<CloseSummary>(body.data());
}

std::optional<NameSummary> RecordView::name_summary() const {
  if (static_cast<RecordType>(header.type) != RecordType::kName) return {};
  return load<NameSummary>(body.data());
}

std::string_view RecordView::name() const {
  return {reinterpret_cast<const char*>(body.data()) + sizeof(NameSummary),
          load<NameSummary>(body.data()).name_bytes};
}

void RecordView::for_each_entry(
    const std::function<void(const EntryHead&, Bytes payload, std::uint32_t offset)>& visit) const {
  std::size_t at = *fixed_part_bytes(header, body);
  for (std::uint32_t i = 0; i < header.entry_count; ++i) {
    const auto head = load<EntryHead>(body.data() + at);
    visit(head, body.subspan(at + sizeof head, head.payload_bytes),
          static_cast<std::uint32_t>(sizeof(RecordHeader) + at));
    at += sizeof head + head.payload_bytes;
  }
}

bool plausible_header(const RecordHeader& header, std::uint64_t available_bytes) {
  if (header.magic != kRecordMagic) return false;
  if (header.type < static_cast<std::uint8_t>(RecordType::kCommit) ||
      header.type > static_cast<std::uint8_t>(RecordType::kName)) {
    return false;
  }
  const std::uint64_t record_bytes = sizeof(RecordHeader) + std::uint64_t{header.body_bytes};
  return header.body_bytes % 8 == 0 && record_bytes <= kRecordBytesMax && record_bytes <= available_bytes &&
         least_fixed_part_bytes(header) <= header.body_bytes &&
         std::uint64_t{header.entry_count} * sizeof(EntryHead) <= header.body_bytes;
}

namespace {

// The fixed part and the entry heads, joined: what the record checksum covers behind the header.
class Heads {
 public:
  // False when the body is not what the header says. REQUIRES: plausible_header(header, ...).
  bool gather(const RecordHeader& header, Bytes body, std::uint64_t database_id, Verify verify) {
    const auto fixed_part = fixed_part_bytes(header, body);
    if (!fixed_part) return false;
    const std::size_t fixed_bytes = *fixed_part;
    const std::size_t heads_bytes = fixed_bytes + header.entry_count * sizeof(EntryHead);
    std::byte* heads = small_;
    if (heads_bytes > sizeof small_) {
      large_.resize(heads_bytes);
      heads = large_.data();
    }
    std::memcpy(heads, body.data(), fixed_bytes);
    std::size_t gathered = fixed_bytes;
    std::size_t at = fixed_bytes;
    for (std::uint32_t i = 0; i < header.entry_count; ++i) {
      if (body.size() - at < sizeof(EntryHead)) return false;
      const auto head = load<EntryHead>(body.data() + at);
      if (body.size() - at - sizeof head < head.payload_bytes) return false;
      if (verify == Verify::kEverything &&
          payload_checksum(database_id, head, body.subspan(at + sizeof head, head.payload_bytes)) !=
              head.payload_checksum) {
        return false;
      }
      std::memcpy(heads + gathered, &head, sizeof head);
      gathered += sizeof head;
      at += sizeof head + head.payload_bytes;
    }
    bytes_ = Bytes(heads, heads_bytes);
    return body.size() - at < 8;  // only padding may follow
  }
  Bytes bytes() const { return bytes_; }

 private:
  std::byte small_[512];
  std::vector<std::byte> large_;
  Bytes bytes_;
};

bool name_fits(const RecordView& record) {
  if (record.body.size() < sizeof(NameSummary) || record.header.entry_count != 0) return false;
  const auto summary = load<NameSummary>(record.body.data());
  return summary.name_bytes > 0 && summary.name_bytes <= kNameBytesMax &&
         name_body_bytes(summary) == record.body.size();
}

}  // namespace

std::optional<RecordView> parse_record(Bytes bytes, std::uint64_t segment_salt, std::uint64_t database_id,
                                       Verify verify) {
  if (bytes.size() < sizeof(RecordHeader)) return {};
  RecordView view;
  view.header = load<RecordHeader>(bytes.data());
  if (!plausible_header(view.header, bytes.size())) return {};
  view.body = bytes.subspan(sizeof(RecordHeader), view.header.body_bytes);
  Heads heads;
  if (static_cast<RecordType>(view.header.type) == RecordType::kName && !name_fits(view)) return {};
  if (!heads.gather(view.header, view.body, database_id, verify)) return {};
  if (record_checksum(view.header, heads.bytes(), segment_salt) != view.header.checksum) return {};
  return view;
}

std::vector<DamagedEntry> damaged_entries(const RecordView& record, std::uint64_t database_id) {
  std::vector<DamagedEntry> damaged;
  record.for_each_entry([&](const EntryHead& head, Bytes payload, std::uint32_t offset) {
    if (payload_checksum(database_id, head, payload) != head.payload_checksum)
      damaged.push_back({PageNo{head.page}, offset});
  });
  return damaged;
}

void restamp_record(MutableBytes record, std::uint64_t segment_salt, std::uint64_t previous_checksum) {
  auto header = load<RecordHeader>(record.data());
  Heads heads;
  CHECK(heads.gather(header, Bytes(record).subspan(sizeof header), 0, Verify::kRecord));
  header.previous_checksum = static_cast<std::uint32_t>(previous_checksum);
  header.checksum = record_checksum(header, heads.bytes(), segment_salt);
  std::memcpy(record.data(), &header, sizeof header);
}

}  // namespace dosql::log
