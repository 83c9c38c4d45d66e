#include "fuzz/database_mutator.h"

#include <algorithm>
#include <map>

#include "base/checksum.h"
#include "log/record.h"
#include "log/segment.h"
#include "version/checkpoint.h"

namespace dosql::fuzz {
namespace {

using log::ControlSlot;
using log::EntryHead;
using log::RecordHeader;
using log::SegmentHeader;
using testing::SimulatedDisk;
using version::CheckpointHeader;

constexpr std::uint64_t kFileBytesMax = std::uint64_t{1} << 20;
constexpr std::size_t kCommandsMax = 64;

enum Fix : std::uint64_t { kFixControl = 1, kFixSegments = 2, kFixRecords = 4, kFixCheckpoint = 8 };

// A failed change of the disk is no finding: the input named a file that is not there any more, for example.
void overwrite(SimulatedDisk& disk, const std::string& name, std::uint64_t offset, Bytes bytes) {
  if (offset + bytes.size() > kFileBytesMax) return;
  const auto directory = disk.directory();
  auto file = directory->open(name, io::OpenMode::kReadWrite);
  if (!file) file = directory->open(name, io::OpenMode::kCreate);
  if (file) (*file)->write_at(offset, bytes).ignore("see above");
}

bool exists(const SimulatedDisk& disk, const std::string& name) {
  const auto files = disk.files();
  return std::any_of(files.begin(), files.end(), [&](const auto& file) { return file.name == name; });
}

template <class T>
void fix_checksum(T& structure) {
  structure.checksum = checksum64(bytes_of(structure).first(offsetof(T, checksum)), 0);
}

void fix_control(SimulatedDisk& disk) {
  const std::string name(log::kControlFile);
  if (!exists(disk, name)) return;
  const auto bytes = disk.content(name);
  for (const std::uint64_t offset : log::kControlSlotOffsets) {
    if (bytes.size() < offset + sizeof(ControlSlot)) return;
    auto slot = load<ControlSlot>(bytes.data() + offset);
    fix_checksum(slot);
    overwrite(disk, name, offset, bytes_of(slot));
  }
}

// The bytes of the record at the start of `bytes` if its lengths fit together, else none.
MutableBytes well_formed_record(MutableBytes bytes) {
  if (bytes.size() < sizeof(RecordHeader)) return {};
  const auto header = load<RecordHeader>(bytes.data());
  if (!log::plausible_header(header, bytes.size())) return {};
  const MutableBytes record = bytes.first(sizeof header + header.body_bytes);
  const auto fixed_bytes = log::fixed_part_bytes(header, record.subspan(sizeof header));
  if (!fixed_bytes) return {};
  std::size_t at = sizeof header + *fixed_bytes;
  for (std::uint32_t i = 0; i < header.entry_count; ++i) {
    if (record.size() - at < sizeof(EntryHead)) return {};
    const auto head = load<EntryHead>(record.data() + at);
    at += sizeof head;
    if (record.size() - at < head.payload_bytes) return {};
    at += head.payload_bytes;
  }
  return record.size() - at < 8 ? record : MutableBytes();
}

void fix_payloads(MutableBytes record, std::uint64_t database_id) {
  const auto header = load<RecordHeader>(record.data());
  std::size_t at = sizeof header + *log::fixed_part_bytes(header, record.subspan(sizeof header));
  for (std::uint32_t i = 0; i < header.entry_count; ++i) {
    auto head = load<EntryHead>(record.data() + at);
    head.payload_checksum =
        log::payload_checksum(database_id, head, Bytes(record).subspan(at + sizeof head, head.payload_bytes));
    store(record.data() + at, head);
    at += sizeof head + head.payload_bytes;
  }
}

// What the checksums behind a place in the log have to continue.
using ChecksumsByPosition = std::map<std::uint64_t, std::uint64_t>;

void fix_log(SimulatedDisk& disk, std::uint64_t fixes, ChecksumsByPosition& checksums) {
  std::uint64_t previous_checksum = 0;
  for (const auto& file : disk.files()) {
    const auto number = log::parse_segment_file_name(file.name);
    if (!number) continue;
    auto bytes = disk.content(file.name);
    if (bytes.size() < log::kFirstRecordOffset) continue;
    auto header = load<SegmentHeader>(bytes.data());
    if (fixes & kFixSegments) {
      header.previous_checksum = previous_checksum;
      fix_checksum(header);
      for (const std::uint64_t offset : log::kSegmentHeaderOffsets) store(bytes.data() + offset, header);
    }
    std::uint64_t offset = log::kFirstRecordOffset;
    while (fixes & kFixRecords) {
      const MutableBytes record = well_formed_record(MutableBytes(bytes).subspan(offset));
      if (record.empty()) break;
      fix_payloads(record, header.database_id);
      log::restamp_record(record, header.salt, previous_checksum);
      previous_checksum = load<RecordHeader>(record.data()).checksum;
      offset += record.size();
      checksums[raw(log::make_position(*number, offset))] = previous_checksum;
    }
    overwrite(disk, file.name, 0, Bytes(bytes).first(offset));
  }
}

void fix_checkpoint(SimulatedDisk& disk, const ChecksumsByPosition& checksums) {
  const std::string name(log::kCheckpointFile);
  if (!exists(disk, name)) return;
  auto bytes = disk.content(name);
  if (bytes.size() < sizeof(CheckpointHeader) + sizeof(std::uint64_t)) return;
  // The databases here are small: their bodies are one block.
  const std::size_t body_offset = sizeof(CheckpointHeader) + sizeof(std::uint64_t);
  store(bytes.data() + sizeof(CheckpointHeader), checksum64(Bytes(bytes).subspan(body_offset), 0));
  auto header = load<CheckpointHeader>(bytes.data());
  header.blocks_checksum = checksum64(Bytes(bytes).subspan(sizeof header, sizeof(std::uint64_t)), 0);
  if (const auto before = checksums.find(header.position); before != checksums.end()) {
    header.previous_checksum = before->second;
  }
  fix_checksum(header);
  store(bytes.data(), header);
  overwrite(disk, name, 0, bytes);
}

}  // namespace

std::uint64_t Input::number(std::size_t bytes) {
  std::uint64_t value = 0;
  const Bytes taken = take(bytes);
  std::memcpy(&value, taken.data(), taken.size());
  return value;
}

Bytes Input::take(std::size_t bytes) {
  const Bytes taken = bytes_.first(std::min(bytes, bytes_.size()));
  bytes_ = bytes_.subspan(taken.size());
  return taken;
}

BaseDatabase::BaseDatabase(std::unique_ptr<SimulatedDisk> disk) : disk_(std::move(disk)) {
  for (const auto& file : disk_->files()) files_.push_back(file.name);
  find_places();
}

void BaseDatabase::find_places() {
  for (const std::uint64_t offset : log::kControlSlotOffsets) {
    places_.push_back({std::string(log::kControlFile), offset, sizeof(ControlSlot)});
  }
  for (const std::string& name : files_) {
    if (name == log::kCheckpointFile) {
      places_.push_back({name, 0, sizeof(CheckpointHeader)});
      const std::uint64_t size = disk_->content(name).size();
      for (std::uint64_t at = sizeof(CheckpointHeader) + 8; at < size; at += 16) {
        places_.push_back({name, at, std::min<std::uint64_t>(16, size - at)});
      }
    }
    if (!log::parse_segment_file_name(name)) continue;
    auto bytes = disk_->content(name);
    for (const std::uint64_t offset : log::kSegmentHeaderOffsets)
      places_.push_back({name, offset, sizeof(SegmentHeader)});
    std::uint64_t offset = log::kFirstRecordOffset;
    while (true) {
      const MutableBytes record = well_formed_record(MutableBytes(bytes).subspan(offset));
      if (record.empty()) break;
      const auto header = load<RecordHeader>(record.data());
      places_.push_back({name, offset, sizeof header});
      std::size_t at = sizeof header + *log::fixed_part_bytes(header, record.subspan(sizeof header));
      if (at > sizeof header) places_.push_back({name, offset + sizeof header, at - sizeof header});
      for (std::uint32_t i = 0; i < header.entry_count; ++i) {
        const auto head = load<EntryHead>(record.data() + at);
        places_.push_back({name, offset + at, sizeof head + std::min<std::uint64_t>(head.payload_bytes, 16)});
        at += sizeof head + head.payload_bytes;
      }
      offset += record.size();
    }
  }
}

// One command.
void BaseDatabase::apply(Input& input, SimulatedDisk& disk) const {
  const auto any_file = [&] { return files_[input.number(1) % files_.size()]; };
  switch (input.number(1) % 8) {
    case 0:
    case 1:
    case 2: {  // a number in a structure
      const Place& place = places_[input.number(2) % places_.size()];
      const std::size_t bytes = std::size_t{1} << (input.number(1) % 4);
      const std::uint64_t offset = place.offset + input.number(1) % place.bytes;
      std::uint64_t value = input.number(bytes);
      overwrite(disk, place.file, offset, bytes_of(value).first(bytes));
      break;
    }
    case 3: {  // bytes anywhere
      const std::string name = any_file();
      const std::uint64_t offset = input.number(3) % kFileBytesMax;
      overwrite(disk, name, offset, input.take(input.number(1)));
      break;
    }
    case 4: {  // a structure in another's place
      const Place& from = places_[input.number(2) % places_.size()];
      const Place& to = places_[input.number(2) % places_.size()];
      const auto bytes = disk_->content(from.file);
      overwrite(disk, to.file, to.offset, Bytes(bytes).subspan(from.offset, from.bytes));
      break;
    }
    case 5: {  // another length
      const std::string name = any_file();
      const std::uint64_t bytes = input.number(3) % kFileBytesMax;
      if (auto file = disk.directory()->open(name, io::OpenMode::kReadWrite)) {
        (*file)->truncate(bytes).ignore("it may be gone");
      }
      break;
    }
    case 6: disk.directory()->remove(any_file()).ignore("it may be gone"); break;
    case 7: {  // a segment under another number
      const std::string from = any_file();
      const auto to = log::segment_file_name(1 + static_cast<std::uint32_t>(input.number(1) % 8));
      if (exists(disk, from) && from != to) disk.directory()->rename(from, to).ignore("it may be gone");
      break;
    }
  }
}

std::unique_ptr<SimulatedDisk> BaseDatabase::mutated(Input& input) const {
  auto disk = disk_->copy();
  const std::uint64_t fixes = input.number(1);
  for (std::size_t i = 0; i < kCommandsMax && !input.empty(); ++i) apply(input, *disk);
  ChecksumsByPosition checksums;
  if (fixes & kFixControl) fix_control(*disk);
  if (fixes & (kFixSegments | kFixRecords)) fix_log(*disk, fixes, checksums);
  if (fixes & kFixCheckpoint) fix_checkpoint(*disk, checksums);
  return disk;
}

std::unique_ptr<SimulatedDisk> arbitrary_files(Input& input) {
  auto disk = std::make_unique<SimulatedDisk>();
  for (const std::string_view name :
       {log::kControlFile, std::string_view("log-00000001"), log::kCheckpointFile}) {
    overwrite(*disk, std::string(name), 0, input.take(input.number(2)));
  }
  return disk;
}

}  // namespace dosql::fuzz
