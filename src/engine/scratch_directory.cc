#include "engine/scratch_directory.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "io/posix_error.h"

namespace dosql::engine {
namespace {

constexpr const char* kName = "/import.tmp";

}  // namespace

Result<std::unique_ptr<ScratchDirectory>> ScratchDirectory::create(const std::string& parent) {
  std::error_code ignored;
  std::string path = parent + kName;
  bool made = false;
  if (std::filesystem::is_directory(parent, ignored)) {
    std::filesystem::remove_all(path, ignored);
    made = mkdir(path.c_str(), 0700) == 0;
  } else {
    path = (std::filesystem::temp_directory_path(ignored) / "dosql-import-XXXXXX").string();
    made = mkdtemp(path.data()) != nullptr;
  }
  if (!made) return io::posix_name_error(errno, io::NameUse::kChange, "create", path);
  return std::unique_ptr<ScratchDirectory>(new ScratchDirectory(std::move(path)));
}

void ScratchDirectory::remove_left_over(const std::string& parent) {
  std::error_code ignored;
  std::filesystem::remove_all(parent + kName, ignored);
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace dosql::engine
