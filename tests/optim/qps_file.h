#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <istream>
#include <string>

namespace stillpoint::test {

/// A program as a QPS file states it: minimize ½x'Qx + p'x + constant subject to
/// row_lower ≤ rows x ≤ row_upper and lower ≤ x ≤ upper. In double, on the CPU; sides that are missing are
/// infinite, those of an equality are the same.
struct QpsFile {
  std::string name;
  double constant = 0.0;
  torch::Tensor Q;                     ///< `[n, n]`, symmetric
  torch::Tensor p;                     ///< `[n]`
  torch::Tensor rows;                  ///< `[m, n]`
  torch::Tensor row_lower, row_upper;  ///< `[m]`
  torch::Tensor lower, upper;          ///< `[n]`
};

/// Reads QPS: MPS with a section QUADOBJ, which has one triangle of Q, or QMATRIX, which has both. Fields are
/// separated by blanks, names of sets may be left out, and lines that begin with `*` are comments. The first
/// row of kind N is the objective, and others are left out; its right side is minus the constant. An upper
/// bound below zero takes away a lower bound that is not stated.
///
/// **Errors.** A c10::Error says the line and what is wrong there, also for programs in integers.
/// (Maros, Mészáros 1999.)
QpsFile read_qps(std::istream& in);
QpsFile read_qps(const std::filesystem::path& file);

}  // namespace stillpoint::test
