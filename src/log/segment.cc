#include "log/segment.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>

#include "base/checksum.h"

namespace dosql::log {
namespace {

constexpr std::string_view kNamePrefix = "log-";
constexpr std::size_t kNumberDigits = 8;

std::uint64_t header_checksum(const SegmentHeader& header) {
  return checksum64(bytes_of(header).first(offsetof(SegmentHeader, checksum)), 0);
}

bool header_valid(const SegmentHeader& header) {
  return std::memcmp(header.magic, kSegmentMagic, sizeof kSegmentMagic) == 0 &&
         header.checksum == header_checksum(header);
}

Result<std::optional<SegmentHeader>> read_header(io::File& file, std::uint64_t offset) {
  SegmentHeader header{};
  DOSQL_ASSIGN_OR_RETURN(const std::size_t got, file.read_at(offset, mutable_bytes_of(header)));
  if (got < sizeof header || !header_valid(header)) return std::optional<SegmentHeader>();
  return std::optional(header);
}

Status write_headers(io::Directory& directory, Segment& segment) {
  for (const std::uint64_t offset : kSegmentHeaderOffsets) {
    DOSQL_RETURN_IF_ERROR(segment.file->write_at(offset, bytes_of(segment.header)));
  }
  DOSQL_RETURN_IF_ERROR(segment.file->sync_data());
  return directory.sync();
}

Status allocate_and_fill(Segment& segment, const FillSegment& fill) {
  DOSQL_RETURN_IF_ERROR(segment.file->allocate(segment.header.segment_bytes));
  if (!fill) return {};
  DOSQL_RETURN_IF_ERROR(fill(segment));
  return segment.file->sync_data();
}

Status remove_durably(io::Directory& directory, std::string_view name) {
  DOSQL_RETURN_IF_ERROR(directory.remove(name));
  return directory.sync();
}

}  // namespace

std::string segment_file_name(std::uint32_t number) {
  return fmt::format("{}{:0{}}", kNamePrefix, number, kNumberDigits);
}

std::optional<std::uint32_t> parse_segment_file_name(std::string_view name) {
  if (name.size() != kNamePrefix.size() + kNumberDigits || !name.starts_with(kNamePrefix)) return {};
  std::uint32_t number = 0;
  const auto [end, error] =
      std::from_chars(name.data() + kNamePrefix.size(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) return {};
  if (number == 0 || number > kSegmentNumberMax) return {};
  return number;
}

Result<std::unique_ptr<Segment>> create_segment(io::Directory& directory, SegmentHeader header,
                                                const FillSegment& fill) {
  auto segment = std::make_unique<Segment>();
  header.checksum = header_checksum(header);
  segment->header = header;
  segment->name = segment_file_name(header.segment);
  directory.remove(segment->name).ignore("there is one only where an earlier try could not clean up");
  DOSQL_ASSIGN_OR_RETURN(segment->file, directory.open(segment->name, io::OpenMode::kCreate));
  if (Status filled = allocate_and_fill(*segment, fill); !filled) {
    segment->file.reset();
    directory.remove(segment->name).ignore("without a header it means nothing");
    return std::move(filled).error();
  }
  if (Status written = write_headers(directory, *segment); !written) {
    // A header that reaches the disk after all would cut off what is appended to its predecessor from now on.
    segment->file.reset();
    if (Status removed = remove_durably(directory, segment->name); !removed) {
      return Error(ErrorCode::kOutcomeUnknown, written.error().message() + "; " + removed.error().message());
    }
    return std::move(written).error();
  }
  return segment;
}

Status rewrite_headers(const Segment& segment) {
  for (const std::uint64_t offset : kSegmentHeaderOffsets) {
    DOSQL_RETURN_IF_ERROR(segment.file->write_at(offset, bytes_of(segment.header)));
    DOSQL_RETURN_IF_ERROR(segment.file->sync_data());
  }
  return {};
}

Result<std::unique_ptr<Segment>> open_segment(io::Directory& directory, std::uint32_t number,
                                              io::OpenMode mode) {
  auto segment = std::make_unique<Segment>();
  segment->name = segment_file_name(number);
  DOSQL_ASSIGN_OR_RETURN(segment->file, directory.open(segment->name, mode));
  for (const std::uint64_t offset : kSegmentHeaderOffsets) {
    DOSQL_ASSIGN_OR_RETURN(const auto header, read_header(*segment->file, offset));
    if (!header || header->segment != number) continue;
    if (header->format_version > kFormatVersion) {
      return Error(ErrorCode::kFormatTooNew,
                   fmt::format("'{}' has format version {}, this release reads up to {}", segment->name,
                               header->format_version, kFormatVersion));
    }
    segment->header = *header;
    return segment;
  }
  return std::unique_ptr<Segment>();
}

Result<std::vector<std::uint64_t>> damaged_headers(io::File& file) {
  std::vector<std::uint64_t> damaged;
  for (const std::uint64_t offset : kSegmentHeaderOffsets) {
    DOSQL_ASSIGN_OR_RETURN(const auto header, read_header(file, offset));
    if (!header) damaged.push_back(offset);
  }
  return damaged;
}

std::uint64_t next_segment_bytes(std::uint64_t log_bytes, std::uint64_t record_bytes) {
  const std::uint64_t wanted = std::max(log_bytes, record_bytes + kFirstRecordOffset);
  return std::clamp(std::bit_ceil(wanted), kSegmentBytesMin, kSegmentBytesMax);
}

}  // namespace dosql::log
