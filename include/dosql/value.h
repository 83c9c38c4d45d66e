// Values as SQLite knows them, and rows of them.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <dosql/result.h>

namespace dosql {

using Blob = std::vector<std::byte>;

// NULL, INTEGER, REAL, TEXT or BLOB; owns its bytes.
class Value {
 public:
  Value() = default;
  Value(const Value&);
  Value(Value&&) noexcept;
  Value& operator=(const Value&);
  Value& operator=(Value&&) noexcept;
  ~Value();
  Value(std::nullptr_t) {}
  // bool becomes 0 or 1; an unsigned value beyond INT64_MAX wraps, as it does in SQLite.
  template <std::integral T>
  Value(T value) : data_(static_cast<std::int64_t>(value)) {}
  Value(double value) : data_(value) {}
  Value(const char* value) : data_(std::string(value)) {}
  Value(std::string_view value) : data_(std::string(value)) {}
  Value(std::string value) : data_(std::move(value)) {}
  Value(Blob value) : data_(std::move(value)) {}

  enum class Type : std::uint8_t { kNull, kInteger, kReal, kText, kBlob };
  Type type() const { return static_cast<Type>(data_.index()); }
  bool is_null() const { return type() == Type::kNull; }

  // REQUIRES: the value has that type.
  std::int64_t integer() const { return std::get<std::int64_t>(data_); }
  double real() const { return std::get<double>(data_); }
  const std::string& text() const { return std::get<std::string>(data_); }
  const Blob& blob() const { return std::get<Blob>(data_); }

  friend bool operator==(const Value&, const Value&) = default;

 private:
  std::variant<std::monostate, std::int64_t, double, std::string, Blob> data_;
};

// A parameter by name, with its prefix: {":id", 7}.
struct NamedValue {
  std::string_view name;
  Value value;
};

}  // namespace dosql
