// SPDX-License-Identifier: BSL-1.0
#pragma once

#if !__has_include(<cereal/cereal.hpp>)
#error "trine: <trine/codec.hpp> needs the library cereal (Debian: libcereal-dev)"
#endif

#include <cereal/cereal.hpp>
#include <cereal/types/array.hpp>
#include <cereal/types/chrono.hpp>
#include <cereal/types/deque.hpp>
#include <cereal/types/list.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/memory.hpp>
#include <cereal/types/optional.hpp>
#include <cereal/types/set.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/tuple.hpp>
#include <cereal/types/unordered_map.hpp>
#include <cereal/types/unordered_set.hpp>
#include <cereal/types/utility.hpp>
#include <cereal/types/variant.hpp>
#include <cereal/types/vector.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/error.hpp>

namespace trine {

/// How a T becomes bytes for another process of the same program, and a T again: by cereal, or as it is where a copy of its bytes
/// will do. Standard containers and smart pointers are known; a type of one's own has a function serialize(archive), as cereal
/// describes. A specialization may do it in another way.
template <class T>
struct Codec;

/// Writes bytes at the end of a vector; an archive for cereal.
class CodecOutput : public cereal::OutputArchive<CodecOutput, cereal::AllowEmptyClassElision> {
 public:
  explicit CodecOutput(std::vector<std::byte>& bytes) : OutputArchive(this), bytes_(bytes) {}

  void write(const void* data, std::size_t size) {
    const auto* const begin = static_cast<const std::byte*>(data);
    if (size != 0) bytes_.insert(bytes_.end(), begin, begin + size);
  }

  /// A container of so many elements follows.
  void expect(std::size_t elements) noexcept { least_ = std::max(least_, bytes_.size() + elements); }

  /// At the end. Throws if a container could not be read again: its elements take no bytes.
  void require_expected() const {
    if (bytes_.size() < least_) throw Error("trine: an item has a container whose elements take no bytes: it can't be encoded");
  }

 private:
  std::vector<std::byte>& bytes_;
  std::size_t least_ = 0;
};

/// Reads bytes that another process wrote; an archive for cereal. No length that it reads is believed: before anything is
/// allocated for it, it is compared with how many bytes there are.
class CodecInput : public cereal::InputArchive<CodecInput, cereal::AllowEmptyClassElision> {
 public:
  explicit CodecInput(std::span<const std::byte> bytes) : InputArchive(this), left_(bytes) {}

  void read(void* data, std::size_t size) {
    require(size);
    if (size != 0) std::memcpy(data, left_.data(), size);
    left_ = left_.subspan(size);
  }

  /// Throws if fewer bytes are left: an element takes at least one.
  void require(std::uint64_t size) const {
    if (size > left_.size()) throw Error("trine: an item is damaged: it ends before all of it was read");
  }

  void require_end() const {
    if (!left_.empty()) throw Error("trine: an item is damaged, or of another type: there is more of it than was read");
  }

 private:
  std::span<const std::byte> left_;
};

template <class T>
  requires std::is_arithmetic_v<T>
void CEREAL_SAVE_FUNCTION_NAME(CodecOutput& archive, const T& value) {
  archive.write(&value, sizeof(value));
}
template <class T>
  requires std::is_arithmetic_v<T>
void CEREAL_LOAD_FUNCTION_NAME(CodecInput& archive, T& value) {
  archive.read(&value, sizeof(value));
}

template <class Archive, class T>
  requires std::is_same_v<Archive, CodecOutput> || std::is_same_v<Archive, CodecInput>
void CEREAL_SERIALIZE_FUNCTION_NAME(Archive& archive, cereal::NameValuePair<T>& named) {
  archive(named.value);
}

template <class T>
void CEREAL_SAVE_FUNCTION_NAME(CodecOutput& archive, const cereal::SizeTag<T>& size) {
  archive(static_cast<std::uint64_t>(size.size));
  archive.expect(static_cast<std::size_t>(size.size));
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(CodecInput& archive, cereal::SizeTag<T>& size) {
  std::uint64_t read = 0;
  archive(read);
  archive.require(read);
  size.size = static_cast<std::remove_cvref_t<decltype(size.size)>>(read);
}

template <class T>
void CEREAL_SAVE_FUNCTION_NAME(CodecOutput& archive, const cereal::BinaryData<T>& data) {
  archive.write(data.data, static_cast<std::size_t>(data.size));
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(CodecInput& archive, cereal::BinaryData<T>& data) {
  archive.read(data.data, static_cast<std::size_t>(data.size));
}

template <class T>
struct Codec {
  static std::vector<std::byte> encode(const T& value) {
    std::vector<std::byte> bytes;
    bytes.reserve(512);  // most are small, and come in pieces
    if constexpr (std::is_trivially_copyable_v<T>) {
      bytes.resize(sizeof(T));
      std::memcpy(bytes.data(), &value, sizeof(T));
    } else {
      CodecOutput output(bytes);
      output(value);
      output.require_expected();
    }
    return bytes;
  }

  /// Throws Error if the bytes are not those of a T.
  static T decode(std::span<const std::byte> bytes) {
    CodecInput input(bytes);
    if constexpr (std::is_trivially_copyable_v<T>) {
      alignas(T) std::byte copy[sizeof(T)];
      input.read(copy, sizeof(T));
      input.require_end();
      return *reinterpret_cast<const T*>(copy);
    } else {
      T value{};
      input(value);
      input.require_end();
      return value;
    }
  }
};

/// Text is its characters: there is nothing in it that an archive would have to find, and to make one takes longer than to copy it.
template <class Char, class Traits, class Allocator>
struct Codec<std::basic_string<Char, Traits, Allocator>> {
  using Text = std::basic_string<Char, Traits, Allocator>;

  static std::vector<std::byte> encode(const Text& text) {
    const std::span<const std::byte> all = std::as_bytes(std::span(text.data(), text.size()));
    std::vector<std::byte> bytes;
    bytes.reserve(all.size() + 16);  // what a message adds
    bytes.insert(bytes.end(), all.begin(), all.end());
    return bytes;
  }

  /// Throws Error if a character is cut off.
  static Text decode(std::span<const std::byte> bytes) {
    if (bytes.size() % sizeof(Char) != 0) throw Error("trine: an item is damaged: it ends inside of a character");
    Text text(bytes.size() / sizeof(Char), Char());
    if (!bytes.empty()) std::memcpy(text.data(), bytes.data(), bytes.size());
    return text;
  }
};

}  // namespace trine

CEREAL_REGISTER_ARCHIVE(trine::CodecOutput)
CEREAL_REGISTER_ARCHIVE(trine::CodecInput)
CEREAL_SETUP_ARCHIVE_TRAITS(trine::CodecInput, trine::CodecOutput)
