// SPDX-License-Identifier: BSL-1.0
//
// MapReduce over a pool of workers on any backend.
#pragma once

#include <cstddef>
#include <functional>
#include <iterator>
#include <map>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/pool.hpp>

/// Calls `map(input)` for each input, which returns pairs of a key and a value; brings the values of each key together; and calls
/// `reduce(key, values)` for each key. Both are done by the workers.
template <class B, class Map, class Reduce>
class MapReduce {
 public:
  MapReduce(Map map, Reduce reduce, std::ptrdiff_t workers) : map_(map), reduce_(reduce), pool_(workers) {}

  /// The results by key. Each input is a task of its own; of the keys, a worker gets many at a time.
  template <class Inputs>
  auto operator()(const Inputs& inputs) {
    using Pairs = std::invoke_result_t<Map&, typename Inputs::value_type>;
    using Key = std::remove_cvref_t<decltype(std::declval<Pairs>().front().first)>;
    using Value = std::remove_cvref_t<decltype(std::declval<Pairs>().front().second)>;

    std::map<Key, std::vector<Value>> partitions;
    for (Pairs& pairs : pool_.imap_unordered(map_, inputs)) {
      for (auto& [key, value] : pairs) partitions[std::move(key)].push_back(std::move(value));
    }
    std::vector<std::pair<Key, std::vector<Value>>> tasks(std::make_move_iterator(partitions.begin()),
                                                          std::make_move_iterator(partitions.end()));
    return pool_.starmap(reduce_, tasks);
  }

 private:
  Map map_;
  Reduce reduce_;
  trine::Pool<B> pool_;
};
