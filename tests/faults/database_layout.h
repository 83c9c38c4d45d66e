// Where in the files of a database something lies that is still needed, read from the bytes alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "testing/simulated_disk.h"

namespace dosql::testing {

struct FileRange {
  std::string file;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;

  bool contains(const std::string& name, std::uint64_t offset) const {
    return name == file && offset >= begin && offset < end;
  }
};

// Something in a file that says how much was on disk when it was written.
struct Claim {
  FileRange range;
  Lsn durable_lsn{};
};

struct DatabaseLayout {
  // Every byte that is needed by someone, in pieces that are verified together: slots, headers, records
  // (without their padding), the checkpoint. Not what is void.
  std::vector<FileRange> live;
  // Records among them.
  std::vector<FileRange> records;
  std::vector<Claim> claims;

  bool is_live(const std::string& file, std::uint64_t offset) const;
  // What is known to be on disk by those claims that do not cover this byte.
  Lsn durable_lsn_without(const std::string& file, std::uint64_t offset) const;
};

// REQUIRES: the database on the disk is healthy.
DatabaseLayout layout_of(const SimulatedDisk& disk);

}  // namespace dosql::testing
