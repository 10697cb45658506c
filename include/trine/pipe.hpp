// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include <trine/backend.hpp>
#include <trine/backend/threads.hpp>
#include <trine/error.hpp>
#include <trine/event.hpp>
#include <trine/queue.hpp>
#include <trine/until.hpp>

namespace trine {

/// Which ends of a pipe are open, where the backend does not say how that is counted.
class EndsHere {
 public:
  void close(int end) noexcept { closed_[static_cast<std::size_t>(end)].store(true, std::memory_order_release); }
  [[nodiscard]] bool gone(int end) const noexcept {
    return closed_[static_cast<std::size_t>(end)].load(std::memory_order_acquire);
  }

 private:
  std::array<std::atomic<bool>, 2> closed_{};
};

template <class B>
struct PipeEndsOf {
  using type = EndsHere;
};
template <class B>
  requires requires { typename B::PipeEnds; }
struct PipeEndsOf<B> {
  using type = typename B::PipeEnds;
};

/// What the two ends of a pipe share: a queue to each of them.
template <class T, class B>
struct PipeState {
  explicit PipeState(std::size_t capacity) : to0(capacity), to1(capacity) {}

  Queue<T, B>& to(int end) noexcept { return end == 0 ? to0 : to1; }

  /// Ends the queues if the other end of `end` is gone: what was sent from there can still be received.
  void look(int end) {
    if (to(1 - end).is_shutdown() || !ends.gone(1 - end)) return;
    to(end).shutdown();
    to(1 - end).shutdown();
  }

  void close(int end) {
    ends.close(end);
    any_closed.set();
    look(1 - end);
    to0.rouse();
    to1.rouse();
  }

  typename PipeEndsOf<B>::type ends;
  Event<B> any_closed;  // whether somebody has closed an end: then those who use the other look whether that is gone
  Queue<T, B> to0;
  Queue<T, B> to1;
};

/// An operation of a queue to or from an end of a pipe: it ends with EndOfStream when the other end is gone.
template <class O, class R, class T, class B>
class PipeOperation : public O {
 public:
  using Result = R;

  PipeOperation(PipeState<T, B>& pipe, int end, bool looks, O&& operation)
      : O(std::move(operation)), pipe_(&pipe), end_(end), looks_(looks) {}

  bool attempt() {
    if (looks_ || pipe_->any_closed.is_set()) pipe_->look(end_);
    done_ = O::attempt();
    return done_;
  }

  auto announce() {
    pipe_->look(end_);
    const auto sleep = O::announce();
    done_ = sleep.needless();
    return sleep;
  }

  R result() {
    if (!done_) return R();
    try {
      return O::result();
    } catch (const QueueShutdown&) {
    }
    fail<EndOfStream>();
  }

 private:
  PipeState<T, B>* pipe_;
  int end_;
  bool looks_;  // each time, also when nobody has said that an end was closed
  bool done_ = false;
};

/// One end of a Pipe: what is sent here is received at the other end, in the order in which it was sent.
///
/// send() waits while what was sent and not received fills the pipe's memory (between processes, or if it has a capacity);
/// recv() waits for a message. When the other end is closed recv() still gives what was sent from there, and then throws
/// EndOfStream; send() throws it at once (after a death with nothing left to receive, it may take one more message, which is
/// lost). An end counts as closed when nobody has it any more: between processes each process that was forked since the pipe was
/// made has a copy of both ends, as of any file, and closes it by close(), by destroying it, or by its own end, however it
/// comes; who does not want to wait for ever closes the ends that it does not use. A death is noticed within 40 ms.
/// Several threads may send and receive at an end at once. close() and the destructor: when no other thread uses this end.
/// After one's own close(), and for receiving from the sending end of a one-way pipe or the other way round: Error.
/// Movable; the moved-from one is closed.
template <class T, class B = threads>
class Connection {
  using State = PipeState<T, B>;
  using PollOperation = typename Queue<T, B>::ReadyOperation;
  template <class O, class R>
  using Wrapped = PipeOperation<O, R, T, B>;

 public:
  using value_type = T;
  using RecvOperation = Wrapped<typename Queue<T, B>::GetOperation, T>;
  using TimedRecvOperation = Wrapped<typename Queue<T, B>::TimedGetOperation, std::optional<T>>;

  Connection(std::shared_ptr<State> state, int end, bool receives, bool sends) noexcept
      : state_(std::move(state)), end_(end), receives_(receives), sends_(sends) {}
  Connection(Connection&&) noexcept = default;
  Connection& operator=(Connection&& other) noexcept {
    Connection moved(std::move(other));
    std::swap(state_, moved.state_);
    std::swap(end_, moved.end_);
    std::swap(receives_, moved.receives_);
    std::swap(sends_, moved.sends_);
    return *this;
  }
  ~Connection() { close(); }

  /// True, or false when it gave up; the message is with the caller then. Throws EndOfStream, and ItemTooLarge.
  typename B::template Result<bool> send(const T& message, const Until& until = Until::forever()) {
    return B::run(send_op(message), until);
  }
  typename B::template Result<bool> send(T&& message, const Until& until = Until::forever()) {
    return B::run(send_op(std::move(message)), until);
  }

  /// Throws EndOfStream.
  typename B::template Result<T> recv() { return B::run(recv_op(), Until::forever()); }
  /// The same; nothing when it gave up.
  typename B::template Result<std::optional<T>> recv(const Until& until) {
    return B::run(TimedRecvOperation(receiving(), end_, false, receiving().to(end_).timed_get_op()), until);
  }

  /// Whether recv() would not wait: there is a message, or the other end is closed. Waits for that; without a limit it only looks.
  typename B::template Result<bool> poll(const Until& until = Until(std::chrono::seconds(0))) {
    return B::run(Wrapped<PollOperation, bool>(receiving(), end_, true, receiving().to(end_).ready_op()), until);
  }

  /// The caller keeps the message in its place until the operation is done.
  [[nodiscard]] auto send_op(const T& message) { return sent(state_of(sends_).to(1 - end_).put_op(message)); }
  [[nodiscard]] auto send_op(T&& message) { return sent(state_of(sends_).to(1 - end_).put_op(std::move(message))); }
  [[nodiscard]] RecvOperation recv_op() { return {receiving(), end_, false, receiving().to(end_).get_op()}; }

  /// Closes this end, in this process. May be repeated.
  void close() noexcept {
    if (const auto state = std::exchange(state_, nullptr)) state->close(end_);
  }
  [[nodiscard]] bool closed() const noexcept { return state_ == nullptr; }

 private:
  // What is waiting there unread may be so because nobody is left to read it.
  template <class O>
  Wrapped<O, bool> sent(O&& operation) {
    return {*state_, end_, !state_->to(1 - end_).empty(), std::move(operation)};
  }

  State& receiving() { return state_of(receives_); }
  State& state_of(bool able) {
    if (closed()) throw Error("trine: the connection was closed here");
    if (!able) throw Error("trine: the connection is an end of a one-way pipe, for the other direction");
    return *state_;
  }

  std::shared_ptr<State> state_;
  int end_;
  bool receives_;
  bool sends_;
};

/// Two Connections, of which each receives what is sent at the other: `auto [here, there] = trine::Pipe<int>();`. If it is not
/// `duplex` the first one receives and the second sends. At most `capacity` messages on their way, or if it is 0 as many as a
/// Queue<T, B> has room for. Between processes T is trivially copyable, or known to Codec (<trine/codec.hpp>).
template <class T, class B = threads>
struct Pipe {
  explicit Pipe(bool duplex = true, std::size_t capacity = 0)
      : Pipe(std::make_shared<PipeState<T, B>>(capacity), duplex) {}

  Connection<T, B> first;
  Connection<T, B> second;

 private:
  Pipe(std::shared_ptr<PipeState<T, B>> state, bool duplex) : first(state, 0, true, duplex), second(state, 1, duplex, true) {}
};

}  // namespace trine
