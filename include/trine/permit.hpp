// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <utility>

#include <trine/backend/threads.hpp>

namespace trine {

template <class B>
class Semaphore;

/// Holds a permit of a semaphore until the end of the scope. Movable; true when it holds one.
template <class B = threads>
class Permit {
  using Ticket = typename B::Escrow::Ticket;

 public:
  Permit() noexcept = default;
  Permit(Semaphore<B>& acquired, Ticket ticket) noexcept : semaphore_(&acquired), ticket_(ticket) {}
  Permit(Permit&& other) noexcept : semaphore_(std::exchange(other.semaphore_, nullptr)), ticket_(other.ticket_) {}
  Permit& operator=(Permit&& other) noexcept {
    Permit moved(std::move(other));
    std::swap(semaphore_, moved.semaphore_);
    std::swap(ticket_, moved.ticket_);
    return *this;
  }
  ~Permit() {
    if (semaphore_ != nullptr) release();
  }

  [[nodiscard]] explicit operator bool() const noexcept { return semaphore_ != nullptr; }

  /// Gives the permit back before the end of the scope. Between processes it throws NotOwner in another thread than the one
  /// that took it, and keeps it.
  void release() {
    if (semaphore_ == nullptr) return;
    semaphore_->give_back(ticket_);
    semaphore_ = nullptr;
  }

 private:
  Semaphore<B>* semaphore_ = nullptr;
  [[no_unique_address]] Ticket ticket_;
};

}  // namespace trine
