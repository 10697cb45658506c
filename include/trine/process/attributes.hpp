// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/interprocess/containers/map.hpp>

#include <trine/error.hpp>
#include <trine/process/managed.hpp>
#include <trine/process/stored.hpp>

namespace trine {

struct NamespaceRoot {
  using Text = Stored<std::string, ManagedMemory::Allocator>;
  struct Attribute {
    std::uint64_t type;
    Text::Type bytes;
  };
  using Pair = std::pair<const Text::Type, Attribute>;
  using Type = boost::interprocess::map<Text::Type, Attribute, StoredLess<Text>, ManagedMemory::Allocator<Pair>>;
};

/// Attributes of any types, by their names, that processes share; made by Manager::ns(). Each member is one atomic step, and
/// throws OwnerDied if a process died in one, until recover(). What comes out is a copy: changing it changes nothing shared until
/// it is set again. A copy of a Namespace is another handle of the same one.
class Namespace : public ManagedContainer<NamespaceRoot::Type> {
  using Root = NamespaceRoot::Type;
  using Text = NamespaceRoot::Text;

 public:
  Namespace(std::shared_ptr<ManagerMemory> memory, std::string_view name, std::size_t bytes)
      : ManagedContainer(std::move(memory), name, managed_type<Namespace>(), bytes) {}

  /// Throws std::system_error (no_buffer_space) if the memory is full; the namespace is unchanged then.
  template <class T>
  void set(std::string_view name, const T& value) {
    if constexpr (std::is_convertible_v<const T&, std::string_view> && !std::is_same_v<T, std::string>) {
      set(name, std::string(std::string_view(value)));
    } else {
      const typename Stored<T, ManagedMemory::Allocator>::Given given(value);
      set(name, managed_type<T>(), bytes_of(given.view()));
    }
  }

  /// Throws NoSuchAttribute if there is none of that name, and LayoutMismatch if it is of another type.
  template <class T>
  [[nodiscard]] T get(std::string_view name) const {
    return read([name](const Root& root) -> T {
      const auto found = root.find(name);
      if (found == root.end()) throw NoSuchAttribute(std::string(name));
      if (found->second.type != managed_type<T>()) throw LayoutMismatch(std::string(name) + ": the attribute is of another type");
      return value_of<T>(Text::view(found->second.bytes));
    });
  }

  [[nodiscard]] bool contains(std::string_view name) const {
    return read([name](const Root& root) { return root.find(name) != root.end(); });
  }

  /// Whether there was one.
  bool erase(std::string_view name) {
    return change([name](Root& root) {
      const auto found = root.find(name);
      if (found == root.end()) return false;
      root.erase(found);
      return true;
    });
  }

  [[nodiscard]] std::vector<std::string> names() const {
    return read([](const Root& root) {
      std::vector<std::string> all;
      for (const auto& each : root) all.push_back(Text::get(each.first));
      return all;
    });
  }

 private:
  void set(std::string_view name, std::uint64_t type, std::string_view bytes) {
    change([&](Root& root) {
      const auto allocator = root.get_allocator();
      auto stored = Text::make(bytes, allocator);
      if (const auto found = root.find(name); found != root.end()) {
        found->second.bytes = std::move(stored);
        found->second.type = type;
      } else {
        root.emplace(Text::make(name, allocator), NamespaceRoot::Attribute{type, std::move(stored)});
      }
    });
  }

  static std::string_view bytes_of(std::string_view text) noexcept { return text; }
  template <class T>
  static std::string_view bytes_of(const T& value) noexcept {
    return {reinterpret_cast<const char*>(&value), sizeof(T)};
  }

  template <class T>
  static T value_of(std::string_view bytes) {
    if constexpr (std::is_trivially_copyable_v<T>) {
      if (bytes.size() != sizeof(T)) throw LayoutMismatch("an attribute is damaged");
      alignas(T) std::byte copy[sizeof(T)];
      std::memcpy(copy, bytes.data(), sizeof(T));
      return *std::launder(reinterpret_cast<const T*>(copy));
    } else if constexpr (std::is_same_v<T, std::string>) {
      return std::string(bytes);
    } else {
      return Codec<T>::decode(std::as_bytes(std::span(bytes.data(), bytes.size())));
    }
  }
};

}  // namespace trine
