#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace stillpoint::detail {

/// base + Σ_j c_j terms_j, contiguous, recorded if gradients are on; an undefined base is zero.
/// `coefficients` holds one number a term, or a row of such numbers for each sample.
at::Tensor combine(const at::Tensor& base, const std::vector<at::Tensor>& terms,
                   const std::vector<double>& coefficients);

/// The same with coefficients s w_j, of one s for all samples or one a sample.
at::Tensor combine(const at::Tensor& base, const std::vector<at::Tensor>& terms,
                   const std::vector<double>& weights, const std::vector<double>& scales);

/// `t`, to be a term or base of several sums: their gradients come back to it as one sum, made in one pass.
/// Itself if nothing is recorded.
at::Tensor shared(const at::Tensor& t);

/// For each sample the root mean square of e / (absolute + relative · max(|y|, |next|)), with e = s Σ_j w_j
/// terms_j. NaN if `next` is not finite.
std::vector<double> error_norms(const std::vector<at::Tensor>& terms, const std::vector<double>& weights,
                                const std::vector<double>& scales, const at::Tensor& y,
                                const at::Tensor& next, double absolute, double relative);

}  // namespace stillpoint::detail
