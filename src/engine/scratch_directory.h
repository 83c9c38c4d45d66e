// A directory for private copies.
#pragma once

#include <memory>
#include <string>

#include <dosql/result.h>

namespace dosql::engine {

// Mode 0700; removed, with all it holds, by the destructor.
class ScratchDirectory {
 public:
  // `<parent>/import.tmp`, so that copies are on the database's own disk; what an interrupted import left
  // there goes first. Where `parent` is no directory: in the system's temporary directory. REQUIRES: one at a
  // time per parent.
  static Result<std::unique_ptr<ScratchDirectory>> create(const std::string& parent);
  ~ScratchDirectory();
  // What an import that was killed left in `parent`. REQUIRES: none is running there.
  static void remove_left_over(const std::string& parent);
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  explicit ScratchDirectory(std::string path) : path_(std::move(path)) {}

  const std::string path_;
};

}  // namespace dosql::engine
