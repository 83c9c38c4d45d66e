// A row's values with the bytes they view.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "diff/record.h"

namespace dosql::engine {

class RowCopy {
 public:
  RowCopy() = default;
  explicit RowCopy(std::span<const diff::Field> values) { assign(values); }
  RowCopy(RowCopy&&) noexcept = default;
  RowCopy& operator=(RowCopy&&) noexcept = default;
  RowCopy(const RowCopy& other) { assign(other.values_); }
  RowCopy& operator=(const RowCopy& other) {
    assign(std::vector<diff::Field>(other.values_));
    return *this;
  }

  // `values` may not view this copy.
  void assign(std::span<const diff::Field> values) {
    values_.assign(values.begin(), values.end());
    std::size_t size = 0;
    for (const diff::Field& value : values_) size += value.bytes.size();
    bytes_.resize(size);
    std::byte* to = bytes_.data();
    for (diff::Field& value : values_) {
      const Bytes from = value.bytes;
      value.bytes = Bytes(to, from.size());
      to = std::copy(from.begin(), from.end(), to);
    }
  }

  std::span<const diff::Field> values() const { return values_; }

 private:
  std::vector<diff::Field> values_;
  std::vector<std::byte> bytes_;
};

}  // namespace dosql::engine
