// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/interprocess/containers/deque.hpp>

#include <trine/process/managed.hpp>
#include <trine/process/stored.hpp>

namespace trine {

template <class T>
struct ListRoot {
  using Item = Stored<T, ManagedMemory::Allocator>;
  using Type = boost::interprocess::deque<typename Item::Type, ManagedMemory::Allocator<typename Item::Type>>;
};

/// A list that processes share; made by Manager::list(). Each member is one atomic step, and throws OwnerDied if a process died
/// in one, until recover(). What comes out is a copy: changing it changes nothing shared until it is set again. A number that is
/// not below size() is a std::out_of_range. A copy of a List is another handle of the same list.
/// Complexity: constant at both ends and for at() and set(), linear for the rest.
template <class T>
class List : public ManagedContainer<typename ListRoot<T>::Type> {
  using Root = typename ListRoot<T>::Type;
  using Base = ManagedContainer<Root>;
  using Item = typename ListRoot<T>::Item;

 public:
  List(std::shared_ptr<ManagerMemory> memory, std::string_view name, std::size_t bytes)
      : Base(std::move(memory), name, managed_type<List>(), bytes) {}

  /// This, set() and insert() throw std::system_error (no_buffer_space) if the memory is full; the list is unchanged then.
  void append(const T& value) {
    const typename Item::Given given(value);
    this->change([&](Root& root) { root.push_back(Item::make(given.view(), root.get_allocator())); });
  }

  [[nodiscard]] T at(std::size_t i) const {
    return this->read([i](const Root& root) { return Item::get(root[checked(i, root.size())]); });
  }

  void set(std::size_t i, const T& value) {
    const typename Item::Given given(value);
    this->change([&](Root& root) { root[checked(i, root.size())] = Item::make(given.view(), root.get_allocator()); });
  }

  /// Before the one of that number; at the end, if it is size().
  void insert(std::size_t i, const T& value) {
    const typename Item::Given given(value);
    this->change([&](Root& root) {
      root.insert(place(root, checked(i, root.size() + 1)), Item::make(given.view(), root.get_allocator()));
    });
  }

  /// The first that is equal, as text or by its bytes; whether there was one.
  bool remove(const T& value)
    requires requires(const typename Item::Given& given) { given.view() == given.view(); }
  {
    const typename Item::Given given(value);
    return this->change([&](Root& root) {
      const auto found = std::find_if(root.begin(), root.end(), [&](const auto& each) { return Item::view(each) == given.view(); });
      if (found == root.end()) return false;
      root.erase(found);
      return true;
    });
  }

  /// Takes the last one out.
  T pop() {
    return this->change([](Root& root) { return take(root, checked(0, root.size()) + root.size() - 1); });
  }
  T pop(std::size_t i) {
    return this->change([i](Root& root) { return take(root, checked(i, root.size())); });
  }

  void clear() {
    this->change([](Root& root) { root.clear(); });
  }

  [[nodiscard]] std::size_t size() const {
    return this->read([](const Root& root) { return root.size(); });
  }

  [[nodiscard]] std::vector<T> items() const {
    return this->read([](const Root& root) {
      std::vector<T> all;
      for (const auto& each : root) all.push_back(Item::get(each));
      return all;
    });
  }

 private:
  static std::size_t checked(std::size_t i, std::size_t size) {
    if (i >= size) throw std::out_of_range("trine: list: " + std::to_string(i) + " is not below " + std::to_string(size));
    return i;
  }

  static auto place(Root& root, std::size_t i) {
    return root.begin() + static_cast<typename Root::difference_type>(i);
  }

  static T take(Root& root, std::size_t i) {
    T taken = Item::get(root[i]);
    root.erase(place(root, i));
    return taken;
  }
};

}  // namespace trine
