#include <fmt/format.h>

#include <algorithm>

#include <dosql/statement.h>

#include "base/json_text.h"

namespace dosql {
namespace {

const char* type_name(Value::Type type) {
  switch (type) {
    case Value::Type::kNull: return "NULL";
    case Value::Type::kInteger: return "INTEGER";
    case Value::Type::kReal: return "REAL";
    case Value::Type::kText: return "TEXT";
    case Value::Type::kBlob: return "BLOB";
  }
  return "?";
}

[[noreturn]] void wrong_type(std::string_view column, Value::Type found, Value::Type wanted) {
  throw Exception(Error(ErrorCode::kInvalidArgument, fmt::format("column '{}' is {}, not {}", column,
                                                                 type_name(found), type_name(wanted))));
}

// Each takes out a T, or throws.
template <class T>
struct Get;

template <>
struct Get<std::int64_t> {
  static std::int64_t from(std::string_view column, const Value& value) {
    if (value.type() != Value::Type::kInteger) wrong_type(column, value.type(), Value::Type::kInteger);
    return value.integer();
  }
};

template <>
struct Get<double> {
  static double from(std::string_view column, const Value& value) {
    // SQLite stores whole numbers in REAL columns as INTEGER where it can, and computes freely between the
    // two.
    if (value.type() == Value::Type::kInteger) return static_cast<double>(value.integer());
    if (value.type() != Value::Type::kReal) wrong_type(column, value.type(), Value::Type::kReal);
    return value.real();
  }
};

template <>
struct Get<std::string_view> {
  static std::string_view from(std::string_view column, const Value& value) {
    if (value.type() != Value::Type::kText) wrong_type(column, value.type(), Value::Type::kText);
    return value.text();
  }
};

template <>
struct Get<std::string> {
  static std::string from(std::string_view column, const Value& value) {
    return std::string(Get<std::string_view>::from(column, value));
  }
};

template <>
struct Get<Value> {
  static Value from(std::string_view, const Value& value) { return value; }
};

template <class T>
struct Get<std::optional<T>> {
  static std::optional<T> from(std::string_view column, const Value& value) {
    if (value.is_null()) return std::nullopt;
    return Get<T>::from(column, value);
  }
};

}  // namespace

const Value* Row::find(std::string_view column) const {
  const auto found = std::ranges::find(*columns_, column);
  return found == columns_->end() ? nullptr : &values_[found - columns_->begin()];
}

template <class T>
T Row::get(std::string_view column) const {
  const Value* value = find(column);
  if (value == nullptr)
    throw Exception(Error(ErrorCode::kInvalidArgument, fmt::format("no column '{}'", column)));
  return Get<T>::from(column, *value);
}

template std::int64_t Row::get(std::string_view) const;
template double Row::get(std::string_view) const;
template std::string_view Row::get(std::string_view) const;
template std::string Row::get(std::string_view) const;
template Value Row::get(std::string_view) const;
template std::optional<std::int64_t> Row::get(std::string_view) const;
template std::optional<double> Row::get(std::string_view) const;
template std::optional<std::string_view> Row::get(std::string_view) const;
template std::optional<std::string> Row::get(std::string_view) const;

namespace {

std::string value_json(const Value& value) {
  switch (value.type()) {
    case Value::Type::kNull: break;
    case Value::Type::kInteger: return fmt::to_string(value.integer());
    case Value::Type::kReal: return json_real(value.real());
    case Value::Type::kText: return json_text(value.text());
    case Value::Type::kBlob: return json_blob(value.blob());
  }
  return "null";
}

}  // namespace

std::string Row::to_json() const {
  std::string json = "{";
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (i > 0) json += ',';
    json += json_string((*columns_)[i]) + ":" + value_json(values_[i]);
  }
  return json + "}";
}

}  // namespace dosql
