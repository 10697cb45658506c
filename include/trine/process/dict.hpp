// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/interprocess/containers/map.hpp>

#include <trine/process/managed.hpp>
#include <trine/process/stored.hpp>

namespace trine {

template <class K, class V>
struct DictRoot {
  using Key = Stored<K, ManagedMemory::Allocator>;
  using Mapped = Stored<V, ManagedMemory::Allocator>;
  using Pair = std::pair<const typename Key::Type, typename Mapped::Type>;
  using Type = boost::interprocess::map<typename Key::Type, typename Mapped::Type, StoredLess<Key>, ManagedMemory::Allocator<Pair>>;
};

/// A map that processes share; made by Manager::dict(). Each member is one atomic step, and throws OwnerDied if a process died
/// in one, until recover(). What comes out is a copy: changing it changes nothing shared until it is set again. Keys that are
/// numbers or text are in their order, others in that of their bytes. A copy of a Dict is another handle of the same map.
/// Complexity: logarithmic; keys() and items() linear.
template <class K, class V>
class Dict : public ManagedContainer<typename DictRoot<K, V>::Type> {
  using Root = typename DictRoot<K, V>::Type;
  using Base = ManagedContainer<Root>;
  using Key = typename DictRoot<K, V>::Key;
  using Mapped = typename DictRoot<K, V>::Mapped;

 public:
  Dict(std::shared_ptr<ManagerMemory> memory, std::string_view name, std::size_t bytes)
      : Base(std::move(memory), name, managed_type<Dict>(), bytes) {}

  /// Throws std::system_error (no_buffer_space) if the memory is full; the dict is unchanged then.
  void set(const K& key, const V& value) {
    const typename Key::Given new_key(key);
    const typename Mapped::Given new_value(value);
    this->change([&](Root& root) {
      const auto allocator = root.get_allocator();
      auto stored = Mapped::make(new_value.view(), allocator);
      if (const auto found = root.find(new_key.view()); found != root.end()) {
        found->second = std::move(stored);
      } else {
        root.emplace(Key::make(new_key.view(), allocator), std::move(stored));
      }
    });
  }

  /// Throws std::out_of_range if there is none.
  [[nodiscard]] V at(const K& key) const {
    auto found = get(key);
    if (!found) throw std::out_of_range("trine: dict: no such key");
    return std::move(*found);
  }

  [[nodiscard]] std::optional<V> get(const K& key) const {
    const typename Key::Given wanted(key);
    return this->read([&](const Root& root) -> std::optional<V> {
      const auto found = root.find(wanted.view());
      if (found == root.end()) return std::nullopt;
      return Mapped::get(found->second);
    });
  }

  /// Whether there was one.
  bool erase(const K& key) {
    const typename Key::Given wanted(key);
    return this->change([&](Root& root) {
      const auto found = root.find(wanted.view());
      if (found == root.end()) return false;
      root.erase(found);
      return true;
    });
  }

  void clear() {
    this->change([](Root& root) { root.clear(); });
  }

  [[nodiscard]] bool contains(const K& key) const {
    const typename Key::Given wanted(key);
    return this->read([&](const Root& root) { return root.find(wanted.view()) != root.end(); });
  }

  [[nodiscard]] std::size_t size() const {
    return this->read([](const Root& root) { return root.size(); });
  }

  [[nodiscard]] std::vector<K> keys() const {
    return this->read([](const Root& root) {
      std::vector<K> all;
      for (const auto& each : root) all.push_back(Key::get(each.first));
      return all;
    });
  }

  [[nodiscard]] std::vector<std::pair<K, V>> items() const {
    return this->read([](const Root& root) {
      std::vector<std::pair<K, V>> all;
      for (const auto& each : root) all.emplace_back(Key::get(each.first), Mapped::get(each.second));
      return all;
    });
  }
};

}  // namespace trine
