// Runs a fuzz target over stored inputs without libFuzzer: `x_fuzz FILE-OR-FOLDER...`. With this main, every
// build keeps checking the inputs that once failed.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

bool replay(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    return false;
  }
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  std::fprintf(stderr, "%s\n", path.c_str());  // the last line names the culprit if the target aborts
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  bool readable = true;
  for (int i = 1; i < argc; ++i) {
    if (!fs::is_directory(argv[i])) {
      readable = replay(argv[i]) && readable;
      continue;
    }
    for (const auto& entry : fs::directory_iterator(argv[i])) readable = replay(entry.path()) && readable;
  }
  return readable ? 0 : 1;
}
