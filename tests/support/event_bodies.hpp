// SPDX-License-Identifier: BSL-1.0
//
// Bodies that are checked for an Event on several backends: what was written before set() is seen by those whom it lets go.
#pragma once

#include <support/model.hpp>
#include <trine/event.hpp>

namespace checking {

template <class B>
void an_event_lets_one_go() {
  trine::Event<B> event;
  Cell<int> data;
  Thread setter([&] {
    data.set(1);
    event.set();
  });
  event.wait();
  model::check_that(data.get() == 1);
  setter.join();
}

template <class B>
void an_event_lets_all_go() {
  trine::Event<B> event;
  Cell<int> data;
  const auto wait = [&] {
    event.wait();
    model::check_that(data.get() == 1);
  };
  Thread other(wait);
  Thread setter([&] {
    data.set(1);
    event.set();
  });
  wait();
  other.join();
  setter.join();
}

}  // namespace checking
