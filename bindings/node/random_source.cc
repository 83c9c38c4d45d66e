// What std::random_device of the static libstdc++ reads: glibc itself has it only since 2.36, and the addon
// is to load with older ones.

#include <sys/random.h>

#include <cstdint>
#include <cstdlib>

extern "C" std::uint32_t arc4random() noexcept {
  std::uint32_t number = 0;
  if (getrandom(&number, sizeof number, 0) != sizeof number) std::abort();
  return number;
}
