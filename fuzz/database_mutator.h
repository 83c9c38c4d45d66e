// Turns fuzzer input into changed files of a database: commands that damage a healthy one, and then, where
// the input asks for it, checksums that are right again, so that the code behind them is reached.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "testing/simulated_disk.h"

namespace dosql::fuzz {

// Reads little-endian numbers from the input; zeros when it is used up.
class Input {
 public:
  explicit Input(Bytes bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  std::uint64_t number(std::size_t bytes);
  Bytes take(std::size_t bytes);

 private:
  Bytes bytes_;
};

// A healthy database to start from, and where its structures lie.
class BaseDatabase {
 public:
  explicit BaseDatabase(std::unique_ptr<testing::SimulatedDisk> disk);

  // A copy, changed as the input says.
  std::unique_ptr<testing::SimulatedDisk> mutated(Input& input) const;

 private:
  struct Place {
    std::string file;
    std::uint64_t offset;
    std::uint64_t bytes;
  };

  void find_places();
  void apply(Input& input, testing::SimulatedDisk& disk) const;

  std::unique_ptr<testing::SimulatedDisk> disk_;
  std::vector<std::string> files_;
  std::vector<Place> places_;
};

// Three files that are nothing but input.
std::unique_ptr<testing::SimulatedDisk> arbitrary_files(Input& input);

}  // namespace dosql::fuzz
