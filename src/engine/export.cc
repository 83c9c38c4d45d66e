#include "engine/export.h"

#include <algorithm>
#include <vector>

#include "base/bytes.h"
#include "engine/durable_file.h"

namespace dosql::engine {
namespace {

constexpr std::uint32_t kPagesPerWrite = 256;
constexpr std::size_t kChangeCounterOffset = 24;
constexpr std::size_t kVersionValidForOffset = 92;

// Two exports of different versions differ in the counter by which programs notice a changed file.
void set_change_counter(std::byte* page1, const version::ReadPoint& point) {
  const auto counter = static_cast<std::uint32_t>(raw(point.version));
  store_big32(page1 + kChangeCounterOffset, counter);
  store_big32(page1 + kVersionValidForOffset, counter);
}

// Pages [first, first + count) into `out`.
Status read_pages(version::Reader& reader, std::uint32_t first, std::uint32_t count,
                  std::vector<std::byte>& out) {
  for (std::uint32_t i = 0; i < count; ++i) {
    const MutableBytes page(out.data() + i * kPageBytes, kPageBytes);
    DOSQL_RETURN_IF_ERROR(reader.read(PageNo{first + i}, 0, page, version::CacheUse::kBypass));
  }
  if (first == 1) set_change_counter(out.data(), reader.point());
  return {};
}

}  // namespace

Result<version::ReadPoint> version_to_export(const version::VersionStore& store, std::uint64_t version) {
  const version::BranchInfo main = *store.find_branch(version::kMainName);
  if (version == 0) return main.head;
  return store.at_version(main.id, Version{version});
}

Result<ExportResult> export_sqlite(DatabaseCore& core, const std::string& file,
                                   const version::ReadPoint& point, const Progress& progress) {
  if (point.version == Version{0})
    return Error(ErrorCode::kVersionNotFound, "there is nothing to export: the database has no versions yet");
  const std::uint64_t total_bytes = std::uint64_t{point.page_count} * kPageBytes;
  version::Reader reader(core.store());
  reader.pin(point);
  DOSQL_ASSIGN_OR_RETURN(const auto output, DurableFile::create(file, total_bytes, core.random()));

  std::vector<std::byte> buffer(kPagesPerWrite * kPageBytes);
  for (std::uint32_t page = 1; page <= point.page_count; page += kPagesPerWrite) {
    const std::uint32_t count = std::min(kPagesPerWrite, point.page_count - page + 1);
    const std::uint64_t offset = std::uint64_t{page - 1} * kPageBytes;
    if (progress && !progress(offset, total_bytes)) return Error(ErrorCode::kInterrupted, "interrupted");
    DOSQL_RETURN_IF_ERROR(read_pages(reader, page, count, buffer));
    DOSQL_RETURN_IF_ERROR(output->file().write_at(offset, Bytes(buffer.data(), count * kPageBytes)));
  }
  DOSQL_RETURN_IF_ERROR(output->publish());
  if (progress) progress(total_bytes, total_bytes);
  return ExportResult{.branch = core.store().branch_info(point.branch).name,
                      .version = raw(point.version),
                      .bytes = total_bytes};
}

}  // namespace dosql::engine
