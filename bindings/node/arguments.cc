#include "bindings/node/arguments.h"

#include <fmt/format.h>

#include <algorithm>

#include "bindings/node/values.h"

namespace dosql::node {
namespace {

constexpr std::size_t kMostParameters = 32'766;  // SQLite's limit

// So many are looked through one after another.
constexpr std::size_t kFewNames = 8;

Error refused(std::string message) { return Error(ErrorCode::kInvalidArgument, std::move(message)); }

// The exception itself is pending, and is what the caller will see.
Error thrown() { return refused("a getter of the parameters threw"); }

}  // namespace

void Arguments::clear() {
  positional_.clear();
  named_.clear();
  places_.clear();
}

Status Arguments::add_value(napi_env env, napi_value value, napi_valuetype type) {
  Result<Value> converted = value_of(env, value, type);
  if (!converted)
    return refused(fmt::format("parameter {} {}", positional_.size() + 1, converted.error().message()));
  positional_.push_back(*std::move(converted));
  return {};
}

Status Arguments::add_array(napi_env env, napi_value array) {
  std::uint32_t length = 0;
  napi_get_array_length(env, array, &length);
  if (length > kMostParameters)
    return refused(fmt::format("{} values were given; a statement has at most {}", length, kMostParameters));
  positional_.reserve(positional_.size() + length);
  for (std::uint32_t index = 0; index < length; ++index) {
    napi_value value = nullptr;
    napi_valuetype type = napi_undefined;
    if (napi_get_element(env, array, index, &value) != napi_ok) return thrown();
    napi_typeof(env, value, &type);
    DOSQL_RETURN_IF_ERROR(add_value(env, value, type));
  }
  return {};
}

Status Arguments::add_names(napi_env env, napi_value object) {
  napi_value names = nullptr;
  if (napi_get_all_property_names(env, object, napi_key_own_only,
                                  static_cast<napi_key_filter>(napi_key_enumerable | napi_key_skip_symbols),
                                  napi_key_numbers_to_strings, &names) != napi_ok) {
    return thrown();
  }
  std::uint32_t count = 0;
  napi_get_array_length(env, names, &count);
  for (std::uint32_t index = 0; index < count; ++index) {
    napi_value name = nullptr;
    napi_value value = nullptr;
    if (napi_get_element(env, names, index, &name) != napi_ok ||
        napi_get_property(env, object, name, &value) != napi_ok) {
      return thrown();
    }
    named_.push_back({.name = string_of(env, name).value_or(""), .value = value_of(env, value)});
  }
  // An object without properties still says that there are names.
  if (count == 0) named_.push_back({.name = "", .value = Value()});
  return {};
}

Status Arguments::read(napi_env env, std::span<const napi_value> values) {
  for (napi_value value : values) {
    napi_valuetype type = napi_undefined;
    bool is_array = false;
    napi_typeof(env, value, &type);
    if (type != napi_object) {
      DOSQL_RETURN_IF_ERROR(add_value(env, value, type));
    } else if (napi_is_array(env, value, &is_array) == napi_ok && is_array) {
      DOSQL_RETURN_IF_ERROR(add_array(env, value));
    } else if (has_names(env, value)) {
      DOSQL_RETURN_IF_ERROR(add_names(env, value));
    } else {
      DOSQL_RETURN_IF_ERROR(add_value(env, value, type));
    }
  }
  index_names();
  return {};
}

void Arguments::index_names() {
  if (named_.size() <= kFewNames) return;
  for (std::size_t place = 0; place < named_.size(); ++place) places_.emplace(named_[place].name, place);
}

const Arguments::Named* Arguments::find(std::string_view parameter) const {
  if (named_.size() <= kFewNames) {
    const auto found = std::find_if(named_.begin(), named_.end(), [&](const Named& named) {
      return named.name == parameter.substr(1) || named.name == parameter;
    });
    return found == named_.end() ? nullptr : &*found;
  }
  const auto with_prefix = places_.find(parameter);
  const auto without = places_.find(parameter.substr(1));
  if (with_prefix == places_.end() && without == places_.end()) return nullptr;
  if (with_prefix == places_.end()) return &named_[without->second];
  if (without == places_.end()) return &named_[with_prefix->second];
  return &named_[std::min(with_prefix->second, without->second)];
}

Status Arguments::bind_both(Statement& statement) const {
  std::size_t next = 0;
  for (int index = 1; index <= statement.parameter_count(); ++index) {
    const std::string_view name = statement.parameter_name(index);
    if (name.empty() || name.starts_with('?')) {
      if (next == positional_.size())
        return refused(fmt::format("parameter {} has no name, so it needs a value in an array", index));
      DOSQL_RETURN_IF_ERROR(statement.bind(index, positional_[next++]));
      continue;
    }
    const Named* named = find(name);
    if (named == nullptr) return refused(fmt::format("parameter {} has no value", name));
    if (!named->value) return refused(fmt::format("parameter {} {}", name, named->value.error().message()));
    DOSQL_RETURN_IF_ERROR(statement.bind(index, *named->value));
  }
  if (next < positional_.size())
    return refused(fmt::format("{} values were given, but the statement has {} parameters without a name",
                               positional_.size(), next));
  return {};
}

Status Arguments::bind(Statement& statement) const {
  return named_.empty() ? statement.bind_all(positional_) : bind_both(statement);
}

}  // namespace dosql::node
