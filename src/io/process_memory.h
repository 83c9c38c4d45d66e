// SharedMemory within one process: for directories in memory and simulated ones, and for who has nobody to
// share with.
#pragma once

#include <map>
#include <memory>

#include "io/storage.h"

namespace dosql::io {

// What the holders have in common.
struct ProcessMemory;

std::shared_ptr<ProcessMemory> make_process_memory(std::size_t size_bytes);
// The same content, without holders.
std::shared_ptr<ProcessMemory> copy_process_memory(const ProcessMemory& memory);

std::unique_ptr<SharedMemory> hold_process_memory(std::shared_ptr<ProcessMemory> memory);

}  // namespace dosql::io
