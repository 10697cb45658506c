// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <new>
#include <tuple>
#include <utility>

#include <trine/coroutine/one.hpp>
#include <trine/coroutine/several.hpp>

namespace trine::coroutine {

/// The wait for the first of several operations, each in a list of its own. Its owner touches it.
/// S is made of the number of the operation that was done, or of their count, and of the operations.
template <class S, class... O>
class First final : public Several<Table, Pending<S>, sizeof...(O)> {
  static constexpr std::size_t count = sizeof...(O);

 public:
  First(std::tuple<O...>&& operations, const Until& until) : operations_(std::move(operations)) {
    this->becomes(this->tidies);
    if constexpr ((shielded<O> && ...)) this->becomes(this->not_cancelled);
    try {
      this->set_limit(until);
    } catch (...) {
      give_all_up();
      throw;
    }
  }
  ~First() override {
    this->abandon();
    if (this->over_ && !this->taken_ && !this->failure_) {
      visit(operations_, this->first_, [](auto& operation) { forgo_result(operation); });
    }
  }

  /// Where there is no memory for one of these: operations that were tried leave.
  [[noreturn, gnu::cold, gnu::noinline]] static void refuse(std::tuple<O...>& operations, const Until& /*until*/) {
    give_up_but(operations, count);
    throw std::bad_alloc();
  }

  bool suspend(std::coroutine_handle<> coroutine) override { return this->start(coroutine, here().root, nullptr); }
  bool suspend_for(Resumer* resumer, std::coroutine_handle<> coroutine) override {
    if ((owned_by_task<O> || ...) && here().root != nullptr) {
      give_all_up();
      refuse_ownership();
    }
    return this->start(coroutine, nullptr, resumer);
  }

  S take() override {
    this->awake();
    this->taken_ = true;
    if (this->failure_) std::rethrow_exception(std::move(this->failure_));
    return S(this->first_, operations_);
  }

  /// Tries each, beginning anywhere: the number of the one that was done, or `count`.
  static std::size_t try_each(std::tuple<O...>& operations) {
    const std::size_t begin = Table::Os::turn() % count;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t which = (begin + i) % count;
      bool done = false;
      visit(operations, which, [&done](auto& operation) { done = operation.attempt(); });
      if (done) return which;
    }
    return count;
  }

  static void give_up_but(std::tuple<O...>& operations, std::size_t done) {
    for (std::size_t i = 0; i < count; ++i) {
      if (i != done) visit(operations, i, [](auto& operation) { operation.give_up(); });
    }
  }

 private:
  template <class Call>
  static void visit(std::tuple<O...>& operations, std::size_t which, Call call) {
    [&]<std::size_t... I>(std::index_sequence<I...>) { ((which == I ? call(std::get<I>(operations)) : void()), ...); }
    (std::index_sequence_for<O...>());
  }

  bool rouse() noexcept override {
    try {
      this->over_ = this->announce_each([this](std::size_t which) {
        Sleep<Table::Word> sleep;
        visit(operations_, which, [&sleep](auto& operation) { sleep = operation.announce(); });
        return sleep;
      });
    } catch (...) {
      this->failure_ = std::current_exception();
      this->over_ = true;
    }
    if (this->over_) this->leave_lists(table(), !this->failure_);
    return this->over_;
  }

  bool leave() noexcept override {
    this->left_ = true;
    try {
      this->first_ = try_each(operations_);
      this->left_ = this->first_ == count;
    } catch (...) {
      this->failure_ = std::current_exception();
      this->first_ = count;
    }
    this->over_ = true;
    return true;
  }

  void tidy() noexcept override {
    this->leave_lists(table(), !this->failure_);
    try {
      give_up_but(operations_, this->first_);
    } catch (...) {
      if (!this->failure_) this->failure_ = std::current_exception();
    }
  }

  void give_all_up() noexcept override {
    this->first_ = count;
    tidy();
    this->taken_ = true;
  }

  std::tuple<O...> operations_;
};

}  // namespace trine::coroutine
