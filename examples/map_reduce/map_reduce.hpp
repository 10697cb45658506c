// SPDX-License-Identifier: BSL-1.0
//
// MapReduce over a pool of workers on any backend.
#pragma once

#include <cstddef>
#include <iterator>
#include <map>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/pool.hpp>
#include <trine/task.hpp>

/// Calls `map(input)` for each input, which returns pairs of a key and a value; brings the values of each key together; and calls
/// `reduce(key, values)` for each key. Both are done by the workers of a pool. A task, so that it runs on every backend:
/// `trine::run(MapReduce<B, Map, Reduce>(map, reduce, workers)(inputs))`.
template <class B, class Map, class Reduce>
class MapReduce {
 public:
  MapReduce(Map map, Reduce reduce, std::ptrdiff_t workers) : map_(map), reduce_(reduce), workers_(workers) {}

  template <class Input>
  using Pairs = std::invoke_result_t<Map&, const Input&>;
  template <class Input>
  using Key = std::remove_cvref_t<decltype(std::declval<Pairs<Input>>().front().first)>;
  template <class Input>
  using Value = std::remove_cvref_t<decltype(std::declval<Pairs<Input>>().front().second)>;
  template <class Input>
  using Result = std::invoke_result_t<Reduce&, Key<Input>, std::vector<Value<Input>>>;

  /// The results by key. Each input is a task of its own; of the keys, a worker gets many at a time.
  template <class Input>
  trine::Task<std::vector<Result<Input>>, B> operator()(const std::vector<Input>& inputs) {
    trine::Pool<B> pool(workers_);
    std::map<Key<Input>, std::vector<Value<Input>>> partitions;
    auto mapped = pool.imap_unordered(map_, inputs);
    while (auto pairs = co_await mapped.next()) {
      for (auto& [key, value] : *pairs) partitions[std::move(key)].push_back(std::move(value));
    }
    std::vector<std::pair<Key<Input>, std::vector<Value<Input>>>> tasks(std::make_move_iterator(partitions.begin()),
                                                                      std::make_move_iterator(partitions.end()));
    co_return co_await pool.starmap(reduce_, tasks);
  }

 private:
  Map map_;
  Reduce reduce_;
  std::ptrdiff_t workers_;
};
