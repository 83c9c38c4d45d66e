#include "engine/backup.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "engine/durable_file.h"
#include "io/posix_storage.h"

namespace dosql::engine {

Status backup(DatabaseCore& core, const std::string& directory, const Progress& progress) {
  std::error_code ignored;
  const bool existed = std::filesystem::exists(directory, ignored);
  DOSQL_ASSIGN_OR_RETURN(auto target, io::open_posix_directory(directory, io::CreateDirectory::kIfMissing));
  if (!std::filesystem::is_empty(directory, ignored)) {
    return Error(ErrorCode::kAlreadyExists, fmt::format("'{}' is not empty", directory));
  }
  Status done = core.store().backup(*target, progress);
  if (done && !existed) done = sync_directory_of(directory);
  if (done) return done;

  // Nothing but what the failed copy made is in it.
  if (auto files = target->list()) {
    for (const std::string& file : *files)
      target->remove(file).ignore("the copy's failure is the one to report");
  }
  if (!existed) rmdir(directory.c_str());
  if (done.error().code() != ErrorCode::kCorrupt) return done;
  return std::move(done)
      .error()
      .with_context("no backup was made")
      .with_hint(
          ".check names all damage; .export-sqlite FILE main@N saves a version that can still be read");
}

}  // namespace dosql::engine
