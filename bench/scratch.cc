#include "bench/scratch.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "bench/harness.h"

namespace dosql::bench {
namespace {

void remove_folder(const std::string& path) {
  std::error_code nobody_to_tell;
  std::filesystem::remove_all(path, nobody_to_tell);
}

// fail() ends the program without running destructors; this one is run.
struct LiveFolders {
  std::set<std::string> paths;
  ~LiveFolders() {
    for (const std::string& path : paths) remove_folder(path);
  }
};
LiveFolders& live_folders() {
  static LiveFolders folders;
  return folders;
}

}  // namespace

Scratch::Scratch(const std::string& parent) : path_(parent + "/dosql-bench-XXXXXX") {
  if (mkdtemp(path_.data()) == nullptr) fail("cannot make a folder in " + parent);
  live_folders().paths.insert(path_);
}

Scratch::~Scratch() {
  remove_folder(path_);
  live_folders().paths.erase(path_);
}

std::string program_folder() { return std::filesystem::read_symlink("/proc/self/exe").parent_path(); }

void settle(const std::string& folder) {
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY);
  if (descriptor < 0 || syncfs(descriptor) != 0) fail("cannot sync " + folder);
  close(descriptor);
}

void drop_caches(const std::string& folder) {
  settle(folder);
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const int descriptor = open(entry.path().c_str(), O_RDONLY);
    if (descriptor < 0) fail("cannot open " + entry.path().string());
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
    close(descriptor);
  }
}

Pair::Pair(const Place& place, Synchronous synchronous)
    : scratch_(place.directory),
      ours_(make_ours(scratch_.path_of("ours"), synchronous)),
      peer_(make_peer(scratch_.path_of("stock"), synchronous)) {}

}  // namespace dosql::bench
