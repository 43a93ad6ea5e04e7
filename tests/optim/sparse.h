#pragma once

#include <string>

#include "optim/programs.h"

namespace stillpoint::test {

/// Whether the library was built with what factorizes sparse programs.
inline bool has_sparse_programs() {
  try {
    quadratic_program({.Q = torch::eye(1, torch::kDouble).to_sparse_csr()});
    return true;
  } catch (const c10::Error& error) {
    if (std::string(error.what()).find("SuiteSparse") == std::string::npos) throw;
    return false;
  }
}

}  // namespace stillpoint::test
