#include "bindings/node/rows.h"

#include <algorithm>
#include <cstring>

namespace dosql::node {
namespace {

bool is_ascii(std::string_view text) {
  std::uint64_t bits = 0;
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    bits |= word;
  }
  for (; at < text.size(); ++at) bits |= static_cast<unsigned char>(text[at]);
  return (bits & 0x8080'8080'8080'8080) == 0;
}

}  // namespace

napi_status JsSink::set_extra(std::uint32_t place, napi_value value) {
  napi_value extras = nullptr;
  napi_get_reference_value(env_, extras_, &extras);
  return napi_set_element(env_, extras, place, value);
}

void JsSink::put_extra(napi_status made, napi_value value) {
  if (made != napi_ok || set_extra(extra_, value) != napi_ok) {
    too_long_ = true;
    return null();
  }
  put(kExtraCell | extra_++);
}

void JsSink::big(std::int64_t value) {
  napi_value made = nullptr;
  const napi_status status = napi_create_bigint_int64(env_, value, &made);
  put_extra(status, made);
}

void JsSink::text(std::string_view text) {
  const bool ascii = is_ascii(text);
  if (ascii && !text.empty() && text.size() <= kMostToShare) return share(text);
  napi_value made = nullptr;
  // Bytes need no decoding where all are ASCII.
  const auto create = ascii ? napi_create_string_latin1 : napi_create_string_utf8;
  const napi_status status = create(env_, text.empty() ? "" : text.data(), text.size(), &made);
  put_extra(status, made);
}

void JsSink::share(std::string_view text) {
  if (shared_bytes_ + text.size() > kSharedBytes) finish();
  if (shared_bytes_ == 0) shared_place_ = extra_++;
  std::copy(text.begin(), text.end(), shared_.begin() + shared_bytes_);
  put(kTextCell | std::uint64_t{shared_place_} << 32 | shared_bytes_ << 16 | text.size());
  shared_bytes_ += text.size();
}

void JsSink::finish() {
  std::uint32_t place = 0;
  napi_value text = finish_but_text(place);
  if (text != nullptr && set_extra(place, text) != napi_ok) too_long_ = true;
}

napi_value JsSink::finish_but_text(std::uint32_t& place) {
  if (shared_bytes_ == 0) return nullptr;
  napi_value made = nullptr;
  if (napi_create_string_latin1(env_, shared_.data(), shared_bytes_, &made) != napi_ok) too_long_ = true;
  place = shared_place_;
  shared_bytes_ = 0;
  return made;
}

void JsSink::blob(std::span<const std::byte> blob) {
  napi_value buffer = nullptr;
  napi_value made = nullptr;
  void* data = nullptr;
  napi_status status = napi_create_arraybuffer(env_, blob.size(), &data, &buffer);
  if (status == napi_ok) {
    if (!blob.empty()) std::memcpy(data, blob.data(), blob.size());
    status = napi_create_typedarray(env_, napi_uint8_array, blob.size(), buffer, 0, &made);
  }
  put_extra(status, made);
}

void RowBatch::big(std::int64_t value) {
  extras_.push_back({.kind = Kind::kBig, .offset = 0, .number = value});
  put(kExtraCell);
}

void RowBatch::put_bytes(Kind kind, const void* data, std::size_t bytes) {
  extras_.push_back({.kind = kind, .offset = bytes_.size(), .number = static_cast<std::int64_t>(bytes)});
  bytes_.append(static_cast<const char*>(data), bytes);
  put(kExtraCell);
}

void RowBatch::text(std::string_view text) { put_bytes(Kind::kText, text.data(), text.size()); }

void RowBatch::blob(std::span<const std::byte> blob) { put_bytes(Kind::kBlob, blob.data(), blob.size()); }

void RowBatch::give(std::size_t count, JsSink& sink) {
  for (; count > 0; --count, ++given_) {
    const auto bits = std::bit_cast<std::uint64_t>(cells_[given_]);
    if (bits == kNullCell) {
      sink.null();
    } else if (bits != kExtraCell) {
      sink.number(cells_[given_]);
    } else {
      const Extra& extra = extras_[extras_given_++];
      const char* data = bytes_.data() + extra.offset;
      const auto bytes = static_cast<std::size_t>(extra.number);
      switch (extra.kind) {
        case Kind::kBig: sink.big(extra.number); break;
        case Kind::kText: sink.text({data, bytes}); break;
        case Kind::kBlob: sink.blob({reinterpret_cast<const std::byte*>(data), bytes}); break;
      }
    }
  }
}

}  // namespace dosql::node
