#include "version/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "base/checksum.h"
#include "version/checkpoint_names.h"
#include "version/store_impl.h"

namespace dosql::version {
namespace {

std::uint64_t header_checksum(const CheckpointHeader& header) {
  return checksum64(bytes_of(header).first(offsetof(CheckpointHeader, checksum)), 0);
}

std::uint64_t body_bytes(const CheckpointHeader& header) {
  return header.commit_count * sizeof(CommitRow) + header.page_rows * sizeof(PageRow) +
         header.version_count * sizeof(PageVersion) + header.names_bytes;
}

std::uint64_t block_count(std::uint64_t bytes) {
  return (bytes + kCheckpointBlockBytes - 1) / kCheckpointBlockBytes;
}

// A count beyond this cannot be in a file that exists; it keeps the arithmetic above from overflowing.
constexpr std::uint64_t kCountMax = std::uint64_t{1} << 40;

bool header_valid(const CheckpointHeader& header) {
  return std::memcmp(header.magic, kCheckpointMagic, sizeof kCheckpointMagic) == 0 &&
         header.checksum == header_checksum(header) && header.format_version <= log::kFormatVersion &&
         header.commit_count < kCountMax && header.page_rows < kCountMax &&
         header.version_count < kCountMax && header.names_bytes < kCountMax && header.names_bytes % 8 == 0;
}

// A checksum only tells that the bytes are what was written; the index below relies on what they say.
bool follows(const PageVersion* previous, const PageVersion& version) {
  switch (version.kind()) {
    case log::EntryKind::kFull:
    case log::EntryKind::kZero: return version.step() == 0 && (!previous || previous->lsn < version.lsn);
    case log::EntryKind::kPatch:
    case log::EntryKind::kKey:
      return previous && previous->lsn < version.lsn && version.step() == previous->step() + 1 &&
             version.step() <= kStepMax;
  }
  return false;
}

bool rows_consistent(const CheckpointHeader& header, Bytes body) {
  const std::byte* at = body.data();
  CommitRow previous{};
  for (std::uint64_t i = 0; i < header.commit_count; ++i, at += sizeof(CommitRow)) {
    const auto row = load<CommitRow>(at);
    if (row.lsn <= previous.lsn || row.position <= previous.position || row.position % 8 != 0) return false;
    previous = row;
  }
  if (previous.lsn > header.last_lsn) return false;
  const std::byte* version_at = at + header.page_rows * sizeof(PageRow);
  std::uint64_t versions_left = header.version_count;
  if (header.page_count > header.page_rows) return false;
  for (std::uint64_t i = 0; i < header.page_rows; ++i, at += sizeof(PageRow)) {
    const auto row = load<PageRow>(at);
    if (row.page != i + 1 || row.versions == 0 || row.versions > versions_left) return false;
    versions_left -= row.versions;
    PageVersion before{};
    for (std::uint32_t v = 0; v < row.versions; ++v, version_at += sizeof(PageVersion)) {
      const auto version = load<PageVersion>(version_at);
      if (!follows(v == 0 ? nullptr : &before, version)) return false;
      before = version;
    }
  }
  return versions_left == 0 && names_consistent(body.last(header.names_bytes));
}

// Where the first thing that is wrong with the file lies, and what it is.
struct Damage {
  std::uint64_t offset;
  std::string what;
};

// Reads and verifies the whole file.
struct LoadedFile {
  CheckpointHeader header{};
  std::vector<std::byte> body;
};

Result<std::variant<LoadedFile, Damage>> load_file(io::File& file) {
  using Outcome = std::variant<LoadedFile, Damage>;
  LoadedFile loaded;
  DOSQL_ASSIGN_OR_RETURN(std::size_t got, file.read_at(0, mutable_bytes_of(loaded.header)));
  if (got < sizeof loaded.header || !header_valid(loaded.header))
    return Outcome(Damage{0, "the checkpoint header is damaged"});
  DOSQL_ASSIGN_OR_RETURN(const std::uint64_t file_bytes, file.size());
  const std::uint64_t body_size = body_bytes(loaded.header);
  const std::uint64_t blocks = block_count(body_size);
  const std::uint64_t body_offset = sizeof(CheckpointHeader) + blocks * sizeof(std::uint64_t);
  if (file_bytes != body_offset + body_size)
    return Outcome(Damage{file_bytes, "the checkpoint has the wrong length"});

  std::vector<std::uint64_t> checksums(blocks);
  const auto checksum_bytes = std::as_writable_bytes(std::span(checksums));
  DOSQL_ASSIGN_OR_RETURN(got, file.read_at(sizeof(CheckpointHeader), checksum_bytes));
  if (got < checksum_bytes.size() || checksum64(checksum_bytes, 0) != loaded.header.blocks_checksum) {
    return Outcome(Damage{sizeof(CheckpointHeader), "the checkpoint's block checksums are damaged"});
  }
  loaded.body.resize(body_size);
  DOSQL_ASSIGN_OR_RETURN(got, file.read_at(body_offset, loaded.body));
  for (std::uint64_t block = 0; block < blocks; ++block) {
    const std::uint64_t at = block * kCheckpointBlockBytes;
    const Bytes bytes = Bytes(loaded.body).subspan(at, std::min(kCheckpointBlockBytes, body_size - at));
    if (got < at + bytes.size() || checksum64(bytes, block) != checksums[block]) {
      return Outcome(Damage{body_offset + at, "a checkpoint block is damaged"});
    }
  }
  if (!rows_consistent(loaded.header, loaded.body))
    return Outcome(Damage{body_offset, "the checkpoint contradicts itself"});
  return Outcome(std::move(loaded));
}

CheckpointHeader make_header(const log::LogPoint& point, std::uint64_t database_id) {
  CheckpointHeader header{};
  std::memcpy(header.magic, kCheckpointMagic, sizeof header.magic);
  header.format_version = log::kFormatVersion;
  header.database_id = database_id;
  header.position = raw(point.position);
  header.segment_salt = point.segment_salt;
  header.previous_checksum = point.previous_checksum;
  header.closed_sequence = point.closed_sequence;
  header.last_lsn = raw(point.last_lsn);
  header.lsn_high = raw(point.lsn_high);
  header.durable_lsn = raw(point.durable_lsn);
  header.last_timestamp_us = point.last_timestamp_us;
  return header;
}

log::LogPoint point_of(const CheckpointHeader& header) {
  return {.position = log::Position{header.position},
          .segment_salt = header.segment_salt,
          .previous_checksum = header.previous_checksum,
          .closed_sequence = header.closed_sequence,
          .last_lsn = Lsn{header.last_lsn},
          .lsn_high = Lsn{header.lsn_high},
          .durable_lsn = Lsn{header.durable_lsn},
          .last_timestamp_us = header.last_timestamp_us};
}

template <class T>
void append(std::vector<std::byte>& bytes, const T& value) {
  const Bytes more = bytes_of(value);
  bytes.insert(bytes.end(), more.begin(), more.end());
}

Status write_file(io::Directory& directory, CheckpointHeader& header, Bytes body) {
  std::vector<std::uint64_t> checksums;
  for (std::uint64_t at = 0; at < body.size(); at += kCheckpointBlockBytes) {
    checksums.push_back(
        checksum64(body.subspan(at, std::min<std::uint64_t>(kCheckpointBlockBytes, body.size() - at)),
                   checksums.size()));
  }
  header.blocks_checksum = checksum64(std::as_bytes(std::span(checksums)), 0);
  header.checksum = header_checksum(header);
  directory.remove(log::kCheckpointTemporaryFile).ignore("usually there is none");
  DOSQL_ASSIGN_OR_RETURN(auto file, directory.open(log::kCheckpointTemporaryFile, io::OpenMode::kCreate));
  const Bytes pieces[] = {bytes_of(header), std::as_bytes(std::span(checksums)), body};
  DOSQL_RETURN_IF_ERROR(file->write_pieces_at(0, pieces));
  DOSQL_RETURN_IF_ERROR(file->sync_data());
  DOSQL_RETURN_IF_ERROR(directory.rename(log::kCheckpointTemporaryFile, log::kCheckpointFile));
  return directory.sync();
}

}  // namespace

// REQUIRES: no commit is under way (the writer slot is held, or the store is closing).
Status StoreImpl::write_checkpoint() {
  // A name made between looking at the log's end and at the names would be in both.
  std::lock_guard naming(names_mutex);
  const log::LogPoint point = log->end();
  CheckpointHeader header = make_header(point, log->database_id());
  header.page_count = branches.first_main().head().page_count;
  header.used_bytes = log->used_bytes();
  const CommitIndex& commits = branches.first_main().commits();
  header.commit_count = commits.size();

  std::vector<std::byte> body;
  std::vector<std::byte> versions;
  for (std::uint64_t version = 1; version <= header.commit_count; ++version) {
    const CommitEntry entry = commits.at(Version{version});
    append(body, CommitRow{dosql::raw(entry.lsn), raw(entry.position)});
  }
  pages.for_each([&](PageNo page, PageSlot& slot) {
    slot.lock.lock_shared();
    append(body, PageRow{dosql::raw(page), slot.count, slot.chain_bytes, 0});
    const auto bytes = std::as_bytes(std::span(slot.versions, slot.count));
    versions.insert(versions.end(), bytes.begin(), bytes.end());
    slot.lock.unlock_shared();
    ++header.page_rows;
  });
  header.version_count = versions.size() / sizeof(PageVersion);
  body.insert(body.end(), versions.begin(), versions.end());
  const std::size_t names_offset = body.size();
  append_names(*this, body);
  header.names_bytes = body.size() - names_offset;
  DOSQL_RETURN_IF_ERROR(write_file(*directory, header, body));
  checkpoint_lsn = point.last_lsn;
  checkpoint_bytes = body.size();
  used_bytes_at_checkpoint = log->used_bytes();
  return {};
}

Result<std::optional<log::LogPoint>> StoreImpl::load_checkpoint() {
  using Outcome = std::optional<log::LogPoint>;
  auto file = directory->open(log::kCheckpointFile, io::OpenMode::kReadOnly);
  if (!file) {
    if (file.error().code() == ErrorCode::kNotFound) return Outcome();
    return std::move(file).error();
  }
  DOSQL_ASSIGN_OR_RETURN(auto loaded, load_file(**file));
  auto* content = std::get_if<LoadedFile>(&loaded);
  if (!content || content->header.database_id != log->database_id()) {
    checkpoint_damaged = true;
    return Outcome();
  }
  const CheckpointHeader& header = content->header;
  // L11: all that a checkpoint covers was on disk before it was.
  if (!log->holds(point_of(header))) {
    return log->corrupt(
        log::Position{header.position},
        fmt::format("the checkpoint covers LSN {} there, and the file is missing or has lost its "
                    "header",
                    header.last_lsn));
  }
  checkpoint_buffer = std::move(content->body);
  const std::byte* at = checkpoint_buffer.data();
  Branch& main = branches.first_main();
  Lsn newest_lsn{};
  for (std::uint64_t i = 0; i < header.commit_count; ++i, at += sizeof(CommitRow)) {
    const auto row = load<CommitRow>(at);
    newest_lsn = Lsn{row.lsn};
    main.push_commit({newest_lsn, log::Position{row.position}});
  }
  auto* versions =
      reinterpret_cast<PageVersion*>(const_cast<std::byte*>(at) + header.page_rows * sizeof(PageRow));
  for (std::uint64_t i = 0; i < header.page_rows; ++i, at += sizeof(PageRow)) {
    const auto row = load<PageRow>(at);
    PageSlot& slot = pages.at(PageNo{row.page});
    slot.versions = versions;
    slot.count = row.versions;
    slot.chain_bytes = row.chain_bytes;
    slot.newest_step = slot.newest().step();
    versions += row.versions;
  }
  page_versions = header.version_count;
  main.set_head({kMainBranch, Version{header.commit_count}, newest_lsn, header.page_count});
  main.known_pages = static_cast<std::uint32_t>(header.page_rows);
  if (!load_names(*this, Bytes(checkpoint_buffer).last(header.names_bytes))) {
    return Error(ErrorCode::kCorrupt, fmt::format("'{}/{}': its branches contradict each other",
                                                  directory->describe(), log::kCheckpointFile))
        .with_hint("remove that file: it only saves time");
  }
  const log::LogPoint point = point_of(header);
  checkpoint_lsn = point.last_lsn;
  checkpoint_bytes = checkpoint_buffer.size();
  used_bytes_at_checkpoint = header.used_bytes;
  return Outcome(point);
}

Result<std::vector<std::pair<std::uint64_t, std::string>>> check_checkpoint(io::Directory& directory,
                                                                            std::uint64_t database_id) {
  std::vector<std::pair<std::uint64_t, std::string>> problems;
  auto file = directory.open(log::kCheckpointFile, io::OpenMode::kReadOnly);
  if (!file) {
    if (file.error().code() == ErrorCode::kNotFound) return problems;
    return std::move(file).error();
  }
  DOSQL_ASSIGN_OR_RETURN(const auto loaded, load_file(**file));
  if (const auto* damage = std::get_if<Damage>(&loaded)) {
    problems.emplace_back(damage->offset, damage->what);
  } else if (std::get<LoadedFile>(loaded).header.database_id != database_id) {
    problems.emplace_back(0, "the checkpoint belongs to another database");
  }
  return problems;
}

}  // namespace dosql::version
