// Where a benchmark keeps its databases.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "bench/sides.h"

namespace dosql::bench {

// A folder of its own below `parent`, gone with the program however that ends, short of a signal.
class Scratch {
 public:
  explicit Scratch(const std::string& parent);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::string& path() const { return path_; }
  std::string path_of(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

// A kind of storage, named as in the names of measurements.
struct Place {
  std::string name;       // "disk", "tmpfs"
  std::string directory;  // exists
};

// The folder of the running program.
std::string program_folder();

// Lets the disk finish what was written, so that the next to be measured does not pay for it.
void settle(const std::string& folder);

// Drops the files of `folder` from the system's cache, as after a restart of the machine.
void drop_caches(const std::string& folder);

// Both sides of one experiment, in a folder of their own.
class Pair {
 public:
  Pair(const Place& place, Synchronous synchronous);

  Ours& ours() { return *ours_; }
  Side& peer() { return *peer_; }
  const std::string& folder() const { return scratch_.path(); }
  template <class Work>
  void both(Work work) {
    work(ours_->db());
    work(peer_->db());
    settle(folder());
  }

 private:
  Scratch scratch_;
  std::unique_ptr<Ours> ours_;
  std::unique_ptr<Side> peer_;
};

}  // namespace dosql::bench
