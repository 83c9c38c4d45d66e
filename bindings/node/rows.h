// Rows on their way to JavaScript.
//
// A call into JavaScript for every value would cost more than most values, so values cross in bulk: each is a
// cell in an array of doubles that both sides see. A number is itself. What is no number is a NaN whose low
// bits say what it is: NULL, or the place of a string, bigint or Uint8Array in an array of such (the extras).
// Short ASCII texts share a string, of which JavaScript cuts them; it is short too, because a text that lives
// on keeps it.
#pragma once

#include <node_api.h>

#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <dosql/statement.h>
#include <dosql/time_point.h>
#include <dosql/value.h>

namespace dosql::node {

using ColumnNames = std::shared_ptr<const std::vector<std::string>>;

inline ColumnNames column_names(std::vector<std::string> names) {
  return std::make_shared<const std::vector<std::string>>(std::move(names));
}
// Of rows that are a list of values.
inline const ColumnNames& one_column() {
  static const ColumnNames kNames = column_names({"value"});
  return kNames;
}

// High and low half of the cells that are no numbers; packages/dosql/src/rows.ts knows them too.
inline constexpr std::uint64_t kNullCell = 0x7FF8'0001'0000'0000;
inline constexpr std::uint64_t kExtraCell = 0x7FF8'0002'0000'0000;  // + the place of the extra
// + the place of the shared string << 32 + where it begins << 16 + its length
inline constexpr std::uint64_t kTextCell = 0x7FF9'0000'0000'0000;

// Integers beyond it are bigints in JavaScript.
inline constexpr std::int64_t kSafeInteger = 9'007'199'254'740'991;  // 2^53 - 1

// Cells at once: at least one row of SQLite's most columns.
inline constexpr std::size_t kCells = 8'192;

// A sink has null(), number(double), big(int64), text(string_view) and blob(span).
template <class Sink>
void put_integer(std::int64_t value, Sink& sink) {
  if (-kSafeInteger <= value && value <= kSafeInteger) {
    sink.number(static_cast<double>(value));
  } else {
    sink.big(value);
  }
}

template <class Sink>
void put_unsigned(std::uint64_t value, Sink& sink) {
  put_integer(static_cast<std::int64_t>(value), sink);
}

template <class Sink>
void put_truth(bool truth, Sink& sink) {
  put_integer(truth ? 1 : 0, sink);
}

// NaN is no number to SQL.
template <class Sink>
void put_real(double value, Sink& sink) {
  std::isnan(value) ? sink.null() : sink.number(value);
}

// Milliseconds since 1970, for JavaScript's Date.
template <class Sink>
void put_time(Timestamp time, Sink& sink) {
  sink.number(
      static_cast<double>(std::chrono::floor<std::chrono::milliseconds>(time).time_since_epoch().count()));
}

template <class Sink>
void put_value(const Value& value, Sink& sink) {
  switch (value.type()) {
    case Value::Type::kNull: sink.null(); break;
    case Value::Type::kInteger: put_integer(value.integer(), sink); break;
    case Value::Type::kReal: put_real(value.real(), sink); break;
    case Value::Type::kText: sink.text(value.text()); break;
    case Value::Type::kBlob: sink.blob(value.blob()); break;
  }
}

template <class Sink>
void put_row(const Statement& statement, int columns, Sink& sink) {
  for (int column = 0; column < columns; ++column) {
    switch (statement.type(column)) {
      case Value::Type::kNull: sink.null(); break;
      case Value::Type::kInteger: put_integer(statement.integer(column), sink); break;
      case Value::Type::kReal: put_real(statement.real(column), sink); break;
      case Value::Type::kText: sink.text(statement.text(column)); break;
      case Value::Type::kBlob: sink.blob(statement.blob(column)); break;
    }
  }
}

// Makes JavaScript values at once, on JavaScript's thread.
class JsSink {
 public:
  // `extras` refers to a JavaScript array.
  JsSink(napi_env env, double* cells, napi_ref extras) : env_(env), cell_(cells), extras_(extras) {}

  void null() { put(kNullCell); }
  void number(double value) { *cell_++ = value; }
  void big(std::int64_t value);
  void text(std::string_view text);
  void blob(std::span<const std::byte> blob);

  // After the last value.
  void finish();
  // The same, but the newest shared string is for the caller to put into the extras, at `place`, which costs
  // less in JavaScript. Null: there is none.
  napi_value finish_but_text(std::uint32_t& place);
  // A value was longer than JavaScript's may be; a NULL is in its place.
  bool too_long() const { return too_long_; }

 private:
  void put(std::uint64_t bits) { *cell_++ = std::bit_cast<double>(bits); }
  void put_extra(napi_status made, napi_value value);
  napi_status set_extra(std::uint32_t place, napi_value value);
  void share(std::string_view text);

  static constexpr std::size_t kSharedBytes = 4'096;
  static constexpr std::size_t kMostToShare = 256;

  napi_env env_;
  double* cell_;
  napi_ref extras_;
  std::uint32_t extra_ = 0;
  std::uint32_t shared_place_ = 0;
  std::size_t shared_bytes_ = 0;  // 0: there is no shared string now
  std::array<char, kSharedBytes> shared_;
  bool too_long_ = false;
};

// Keeps rows that another thread found.
class RowBatch {
 public:
  void null() { put(kNullCell); }
  void number(double value) { cells_.push_back(value); }
  void big(std::int64_t value);
  void text(std::string_view text);
  void blob(std::span<const std::byte> blob);

  std::size_t size() const { return cells_.size(); }
  // Of texts and BLOBs.
  std::size_t bytes() const { return bytes_.size(); }

  // Hands the next `count` cells over to `sink`, in the order in which they came.
  void give(std::size_t count, JsSink& sink);
  std::size_t left() const { return cells_.size() - given_; }

 private:
  enum class Kind : std::uint8_t { kBig, kText, kBlob };
  struct Extra {
    Kind kind;
    std::size_t offset;   // in bytes_
    std::int64_t number;  // bytes, or the value of kBig
  };
  void put(std::uint64_t bits) { cells_.push_back(std::bit_cast<double>(bits)); }
  void put_bytes(Kind kind, const void* data, std::size_t bytes);

  std::vector<double> cells_;
  std::vector<Extra> extras_;
  std::string bytes_;
  std::size_t given_ = 0;
  std::size_t extras_given_ = 0;
};

}  // namespace dosql::node
