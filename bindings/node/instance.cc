#include "bindings/node/instance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <functional>

#include <dosql/retry.h>

namespace dosql::node {
namespace {

// Names of columns that are remembered; beyond it all are forgotten, and JavaScript asks again.
constexpr std::size_t kMostShapes = 1'024;
constexpr std::size_t kMemoryBytes = sizeof(Report) + kCells * sizeof(double);

napi_value text(napi_env env, std::string_view text) {
  napi_value value = nullptr;
  napi_create_string_utf8(env, text.data(), text.size(), &value);
  return value;
}

// JavaScript counts a string's length in 16-bit units.
std::size_t utf16_length(std::string_view utf8) {
  std::size_t units = 0;
  for (const char byte : utf8) {
    const auto bits = static_cast<unsigned char>(byte);
    if ((bits & 0xC0) != 0x80) ++units;
    if (bits >= 0xF0) ++units;
  }
  return units;
}

Error too_long() {
  return Error(ErrorCode::kInvalidArgument, "a value is longer than a JavaScript string or array may be");
}

}  // namespace

std::size_t HashOfNames::operator()(const ColumnNames& columns) const {
  std::size_t hash = columns->size();
  for (const std::string& name : *columns) hash = hash * 31 + std::hash<std::string>{}(name);
  return hash;
}

Instance::~Instance() { shut_down(); }

void Instance::shut_down() {
  statements_.take_all([](const Prepared& prepared) {
    prepared.worker.wait_until_idle();
    return true;
  });
  // Each destructor ends its worker, then lets go of the database.
  feeds_.take_all([](const Feed&) { return true; });
  handles_.take_all([](const Handle&) { return true; });
}

Status Instance::set_up(napi_value memory, napi_value extras, napi_value make_error, napi_value settle) {
  const Error refused(ErrorCode::kInvalidArgument, "set_up takes memory, an array and two functions, once");
  void* data = nullptr;
  std::size_t bytes = 0;
  bool is_buffer = false;
  bool is_array = false;
  napi_valuetype types[2] = {};
  napi_is_arraybuffer(env_, memory, &is_buffer);
  napi_is_array(env_, extras, &is_array);
  napi_typeof(env_, make_error, &types[0]);
  napi_typeof(env_, settle, &types[1]);
  if (is_set_up() || !is_buffer || !is_array || types[0] != napi_function || types[1] != napi_function)
    return refused;
  napi_get_arraybuffer_info(env_, memory, &data, &bytes);
  if (bytes < kMemoryBytes) return refused;
  if (napi_create_threadsafe_function(env_, settle, nullptr, text(env_, "dosql"), 0, 1, nullptr, nullptr,
                                      nullptr, settle_called, &settle_) != napi_ok) {
    return Error(ErrorCode::kInternal, "no thread-safe function could be made");
  }
  napi_unref_threadsafe_function(env_, settle_);
  // Now, and not when the addon is loaded: what was added last runs first, so the threads end before the
  // function that they call.
  napi_add_env_cleanup_hook(
      env_, [](void* instance) { static_cast<Instance*>(instance)->shut_down(); }, this);
  napi_create_reference(env_, memory, 1, &memory_);
  napi_create_reference(env_, extras, 1, &extras_);
  napi_create_reference(env_, make_error, 1, &make_error_);
  report_ = new (data) Report();
  cells_ = reinterpret_cast<double*>(static_cast<std::byte*>(data) + sizeof(Report));
  return {};
}

void Instance::settle_called(napi_env env, napi_value callback, void*, void*) {
  if (env == nullptr) return;  // it is being torn down
  napi_value undefined = nullptr;
  napi_get_undefined(env, &undefined);
  napi_call_function(env, undefined, callback, 0, nullptr, nullptr);
}

std::unique_ptr<Handle> Instance::make_handle() {
  return std::make_unique<Handle>([this](std::unique_ptr<Task> task) { done(std::move(task)); });
}

void Instance::count_in_flight(int change) {
  if (in_flight_ == 0) napi_ref_threadsafe_function(env_, settle_);
  in_flight_ += change;
  if (in_flight_ == 0) napi_unref_threadsafe_function(env_, settle_);
}

std::unique_ptr<Feed> Instance::make_feed(std::int64_t handle_number, DatabaseShare share) {
  return std::make_unique<Feed>(handle_number, std::move(share),
                                [this](std::unique_ptr<Task> task) { done(std::move(task)); });
}

std::vector<std::shared_ptr<OpenFeed>> Instance::feeds_of(std::int64_t handle_number) {
  std::vector<std::shared_ptr<OpenFeed>> found;
  feeds_.for_each([&](const Feed& feed) {
    if (feed.handle_number() == handle_number) found.push_back(feed.open_feed());
  });
  return found;
}

std::int64_t Instance::submit(Worker& worker, std::string sql, std::function<Status(Outcome&)> work,
                              std::function<void()> when_taken) {
  auto task = std::make_unique<Task>();
  const std::int64_t number = ++tasks_;
  task->number = number;
  task->work = std::move(work);
  task->when_taken = std::move(when_taken);
  task->outcome.sql = std::move(sql);
  count_in_flight(1);
  worker.post(std::move(task));
  return number;
}

// One call wakes JavaScript for all that is done until it looks.
void Instance::done(std::unique_ptr<Task> task) {
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    first = done_.empty();
    done_.push_back(std::move(task));
  }
  if (first) napi_call_threadsafe_function(settle_, nullptr, napi_tsfn_nonblocking);
}

bool Instance::take_outcome() {
  if (to_show_.empty()) {
    std::lock_guard lock(mutex_);
    std::move(done_.begin(), done_.end(), std::back_inserter(to_show_));
    done_.clear();
  }
  if (to_show_.empty()) return false;
  std::unique_ptr<Task> task = std::move(to_show_.front());
  to_show_.pop_front();
  count_in_flight(-1);
  if (task->when_taken) task->when_taken();
  show(std::move(task));
  return true;
}

bool Instance::take_more(std::int64_t number) {
  const auto found = half_shown_.find(number);
  if (found == half_shown_.end()) return false;
  std::unique_ptr<Task> task = std::move(found->second);
  half_shown_.erase(found);
  show(std::move(task));
  return true;
}

void Instance::show(std::unique_ptr<Task> task) {
  Outcome& outcome = task->outcome;
  *report_ = Report{.task = static_cast<double>(task->number)};
  if (!outcome.error && outcome.columns != nullptr && !outcome.columns->empty()) {
    const std::size_t columns = outcome.columns->size();
    const std::size_t left = outcome.rows.left() / columns;
    const std::size_t rows = std::min(left, kCells / columns);
    JsSink sink = this->sink();
    outcome.rows.give(rows * columns, sink);
    if (const Status held = shown(sink, rows, shape_of(outcome.columns), rows < left); !held)
      outcome.error = held.error();
  }
  if (outcome.error) {
    report_->failed = 1;
    if (napi_value error = error_value(*outcome.error, outcome.sql))
      napi_set_element(env_, referenced(extras_), 0, error);
  } else if (report_->more != 0) {
    half_shown_.emplace(task->number, std::move(task));
  }
}

napi_value Instance::referenced(napi_ref reference) const {
  napi_value value = nullptr;
  napi_get_reference_value(env_, reference, &value);
  return value;
}

JsSink Instance::sink() { return JsSink(env_, cells_, extras_); }

Status Instance::shown(JsSink& sink, std::size_t rows, double shape, bool more) {
  report_->rows = static_cast<double>(rows);
  report_->shape = shape;
  report_->more = more ? 1 : 0;
  sink.finish();
  return sink.too_long() ? Status(too_long()) : Status();
}

Result<napi_value> Instance::shown_row(JsSink& sink, double shape) {
  report_->rows = 1;
  report_->shape = shape;
  report_->more = 0;
  std::uint32_t place = 0;
  napi_value text = sink.finish_but_text(place);
  report_->text_place = place;
  if (sink.too_long()) return too_long();
  return text;
}

void Instance::give_back(Arguments arguments) {
  arguments.clear();
  arguments_ = std::move(arguments);
}

double Instance::shape_of(const ColumnNames& columns) {
  const auto known = shape_numbers_.find(columns);
  if (known != shape_numbers_.end()) return known->second;
  if (shapes_.size() >= kMostShapes) {
    forgotten_ += shapes_.size();
    shapes_.clear();
    shape_numbers_.clear();
  }
  shapes_.push_back(columns);
  const auto number = static_cast<double>(forgotten_ + shapes_.size());
  shape_numbers_.emplace(columns, number);
  return number;
}

ColumnNames Instance::columns_of(std::int64_t shape) const {
  const std::int64_t place = shape - static_cast<std::int64_t>(forgotten_) - 1;
  if (place < 0 || place >= static_cast<std::int64_t>(shapes_.size())) return nullptr;
  return shapes_[static_cast<std::size_t>(place)];
}

napi_value Instance::error_value(const Error& error, std::string_view sql) {
  napi_value arguments[7] = {};
  arguments[0] = text(env_, error_code_name(error.code()));
  arguments[1] = text(env_, error.message());
  arguments[2] = text(env_, error.hint());
  napi_create_int32(env_, error.sqlite_code(), &arguments[3]);
  arguments[4] = text(env_, sql);
  const auto offset = error.sql_offset();
  const bool has_offset = offset && *offset <= sql.size();
  napi_create_double(env_, has_offset ? static_cast<double>(utf16_length(sql.substr(0, *offset))) : -1,
                     &arguments[5]);
  napi_get_boolean(env_, is_retryable(error), &arguments[6]);
  napi_value undefined = nullptr;
  napi_get_undefined(env_, &undefined);
  napi_value made = nullptr;
  if (napi_call_function(env_, undefined, referenced(make_error_), 7, arguments, &made) != napi_ok)
    return nullptr;
  return made;
}

}  // namespace dosql::node
